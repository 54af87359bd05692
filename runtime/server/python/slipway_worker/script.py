# SPDX-License-Identifier: Apache-2.0
"""Loads a scoring script and calls its init() and run()."""
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
from types import ModuleType
from typing import Any, Callable, Dict, List, Tuple
from urllib.parse import parse_qsl

from .errors import BadRequest, ScriptError, one_line
from .raw import is_raw
from .request import Headers, HTTPRequest, header_options, is_json
from .response import is_response, parts_of
from .wire import NOT_FAILED, RUN_FAILED, Reply, Request

RUN_FAILED_TEXT = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL_TEXT = "An unexpected internal error occurred. Check the logs for more info."
_HEADERS = "request_headers"
_JSON_FIELDS = [("Content-Type", "application/json")]


class Script:
    """A scoring script that has been imported and looked at.

    Its run() is called with the body as text, with the members of a JSON object (`decorated`, by
    @input_schema or @output_schema), or with the request (`raw`, by @rawhttp).
    """

    def __init__(self, module: ModuleType):
        self.init = _function(module, "init")
        self.run = _function(module, "run")
        self.raw = is_raw(self.run)
        self.decorated = not self.raw and _is_schema_decorated(self.run)
        self.parameters, self.wants_headers = _parameters(self.run, self.decorated)

    def start(self) -> None:
        """Runs init(). ScriptError where it does not come to its end."""
        try:
            self.init()
        except BaseException as error:
            print_error(error)
            raise ScriptError(
                "Script.InitFailed", "init() raised " + one_line(error),
                "see the traceback and the listing of the model folder in the log") from error

    def answer(self, request: Request) -> Reply:
        """Calls run() for one request. Never raises but for what ends the process."""
        try:
            arguments = self._arguments(request)
        except BadRequest as error:
            return message(error.status, str(error))
        if self.wants_headers:
            arguments[_HEADERS] = dict(Headers(request.headers).items())
        began = time.perf_counter()
        try:
            result = self.run(**arguments)
        except BaseException as error:
            print_error(error)
            return message(500, RUN_FAILED_TEXT, RUN_FAILED)
        run_ms = (time.perf_counter() - began) * 1000
        try:
            return _reply(result, run_ms)
        except Exception as error:
            print_error(error)
            return message(500, INTERNAL_TEXT)

    def _arguments(self, request: Request) -> Dict[str, Any]:
        if self.raw:
            return {self.parameters[0].name: HTTPRequest(request)}
        if self.decorated:
            members = _from_query(request) if request.method == "GET" else _from_body(request)
            return self._named(members)
        if request.method == "GET":
            text = json.dumps(_from_query(request))
        else:
            try:
                text = request.body.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadRequest(400, "Input cannot be decoded as UTF-8: %s" % error) from error
        return {self.parameters[0].name: text}

    def _named(self, members: Dict[str, Any]) -> Dict[str, Any]:
        arguments = {}
        for parameter in self.parameters:
            value = members.get(parameter.name, parameter.default)
            if value is inspect.Parameter.empty:
                raise BadRequest(
                    400, "A value is not provided for the %r parameter." % parameter.name)
            arguments[parameter.name] = value
        return arguments


def load(entry: str) -> Script:
    """Imports the script; without a path the module `main`. ScriptError where it is no script."""
    try:
        module = _import(entry)
    except ScriptError:
        raise
    except SyntaxError as error:
        print_error(error)
        where = "%s line %s" % (os.path.basename(error.filename or entry), error.lineno)
        raise ScriptError("Script.SyntaxError", "%s: %s" % (where, error.msg),
                          "correct that line") from error
    except BaseException as error:
        print_error(error)
        fix = "see the traceback in the log"
        if isinstance(error, ModuleNotFoundError) and error.name:
            fix = "add what holds module '%s' to the dependency file" % error.name
        raise ScriptError("Script.ImportFailed",
                          "importing the script raised " + one_line(error), fix) from error
    return Script(module)


def _import(entry: str) -> ModuleType:
    if not entry:
        return importlib.import_module("main")
    if not os.path.isfile(entry):
        raise ScriptError("Script.NotFound", "scoring script %s does not exist" % entry,
                          "AZUREML_ENTRY_SCRIPT names it, in AML_APP_ROOT")
    name = os.path.splitext(os.path.basename(entry))[0]
    if name in sys.modules:
        name = "scoring_script_" + name
    spec = importlib.util.spec_from_file_location(name, entry)
    if spec is None or spec.loader is None:
        raise ScriptError("Script.NotFound", "%s is not a Python file" % entry,
                          "name a file that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ScriptError("Script.No" + name.capitalize(),
                          "%s has no function %s()" % (module.__file__, name),
                          "define init() and run(data)")
    return function


def _is_schema_decorated(function: Callable[..., Any]) -> bool:
    util = sys.modules.get("inference_schema.schema_util")
    return util is not None and bool(util.is_schema_decorated(function))


def _bad(text: str) -> ScriptError:
    return ScriptError("Script.BadSignature", text, "define run(data)")


def _parameters(
    run: Callable[..., Any], decorated: bool
) -> Tuple[List[inspect.Parameter], bool]:
    """What run() takes of a request, and whether it takes the headers as well."""
    kind = inspect.Parameter
    every = list(inspect.signature(run).parameters.values())
    if any(p.kind in (kind.POSITIONAL_ONLY, kind.VAR_POSITIONAL, kind.VAR_KEYWORD) for p in every):
        raise _bad("run() cannot accept positional-only arguments, *args, or **kwargs")
    own = [parameter for parameter in every if parameter.name != _HEADERS]
    if not own:
        raise _bad("run() needs to accept an argument for input data"
                   + (" besides request_headers" if every else ""))
    more = [p.name for p in own[1:] if p.default is kind.empty]
    if more and not decorated:
        raise _bad("run() needs a value for %s, and is given one argument only" % ", ".join(more))
    return own, len(own) < len(every)


def _from_query(request: Request) -> Dict[str, Any]:
    """Query parameters: values that are JSON as such, others as text, repeated ones as lists."""
    query = request.target.partition("?")[2]
    lists: Dict[str, List[Any]] = {}
    for name, text in parse_qsl(query, keep_blank_values=True, errors="replace"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        lists.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in lists.items()}


def _from_body(request: Request) -> Dict[str, Any]:
    content_type = next((value for name, value in request.headers
                         if name.lower() == "content-type"), "")
    if not is_json(header_options(content_type)[0].lower()):
        raise BadRequest(415, "Expects Content-Type to be application/json")
    if not request.body:
        raise BadRequest(400, "POST body is empty. Expecting a JSON dictionary.")
    try:
        members = json.loads(request.body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(400, "Input cannot be decoded as UTF-8: %s" % error) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, "POST body could not be decoded as JSON: %s" % error) from error
    if not isinstance(members, dict):
        raise BadRequest(400, "POST body should be a JSON dictionary.")
    return members


def _reply(result: Any, run_ms: float) -> Reply:
    if is_response(result):
        status, headers, body = parts_of(result)
        return Reply(status, headers, body, run_ms=run_ms)
    body = json.dumps({} if result is None else result).encode("utf-8")
    return Reply(200, _JSON_FIELDS, body, run_ms=run_ms)


def message(status: int, text: str, failed: int = NOT_FAILED) -> Reply:
    """`{"message": text}`."""
    return Reply(status, _JSON_FIELDS, json.dumps({"message": text}).encode("utf-8"), failed)


def print_error(error: BaseException) -> None:
    """The traceback, from the script's own lines on, to the log."""
    trace = error.__traceback__
    here = os.path.dirname(os.path.abspath(__file__))
    while trace is not None and (
            os.path.dirname(os.path.abspath(trace.tb_frame.f_code.co_filename)) == here
            or trace.tb_frame.f_code.co_filename.startswith("<frozen importlib")):
        trace = trace.tb_next
    try:
        traceback.print_exception(type(error), error, trace, file=sys.stderr)
    except Exception:
        print("%s (its traceback cannot be printed)" % type(error).__name__, file=sys.stderr)
