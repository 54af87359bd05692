# SPDX-License-Identifier: Apache-2.0
"""init() and run(): there, and callable as the server calls them."""

import ast

from findings import ERROR, Finding

_SCHEMA = ("input_schema", "output_schema")


def check(script, flow, request):
    bound = script.module_names()
    for name, what in (
        ("init", "called once when the server starts"),
        ("run", "called for each request"),
    ):
        node = script.functions.get(name)
        if node is None:
            if name not in bound and not script.star_import:
                code = "No" + name.capitalize()
                yield Finding(
                    code,
                    ERROR,
                    1,
                    "the script defines no %s(), which is %s" % (name, what),
                    "add: def %s:" % ("init()" if name == "init" else "run(data)"),
                )
        elif isinstance(node, ast.AsyncFunctionDef):
            yield Finding(
                "Async",
                ERROR,
                node,
                "%s() is async: the server calls it and does not await it" % name,
                "write def %s without async" % name,
            )
    if "init" in script.functions:
        yield from _init(script.functions["init"])
    if "run" in script.functions:
        yield from _run(script.functions["run"])


def _required(node):
    arguments = getattr(node.args, "posonlyargs", []) + node.args.args
    count = len(arguments) - len(node.args.defaults)
    words = [a for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults) if d is None]
    return [a.arg for a in arguments[:count] + words]


def _init(node):
    required = _required(node)
    if required and not node.decorator_list:
        yield Finding(
            "InitArity",
            ERROR,
            node,
            "init() is called without arguments and wants %s" % ", ".join(required),
            "write def init():",
        )


def _run(node):
    names = [
        getattr(
            d.func if isinstance(d, ast.Call) else d,
            "id",
            getattr(d.func if isinstance(d, ast.Call) else d, "attr", ""),
        )
        for d in node.decorator_list
    ]
    if any(name not in _SCHEMA + ("rawhttp",) for name in names):
        return
    starred = node.args.vararg or node.args.kwarg
    if starred:
        yield Finding(
            "RunArity",
            ERROR,
            node,
            "run() takes *%s: the server refuses parameters without names" % starred.arg,
            "name the parameters: def run(data):",
        )
        return
    arguments = getattr(node.args, "posonlyargs", []) + node.args.args + node.args.kwonlyargs
    if not [a for a in arguments if a.arg != "request_headers"]:
        yield Finding(
            "RunArity",
            ERROR,
            node,
            "run() has no parameter for the request's body",
            "write def run(data):",
        )
    elif not any(name in _SCHEMA for name in names):
        required = [name for name in _required(node) if name != "request_headers"]
        if len(required) > 1:
            yield Finding(
                "RunArity",
                ERROR,
                node,
                "run() wants %s, and the body comes as one argument" % ", ".join(required),
                "take one parameter and read the others from it, or name them with @input_schema",
            )
