# SPDX-License-Identifier: Apache-2.0
"""The life of a worker: load the script, run init(), then answer one request after the other."""
import json
import logging
import os
import signal
import sys
from typing import Any, Dict, List

from . import script, swagger, tree, wire
from .errors import ScriptError

_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
# Whom the kernel ends first where memory runs out: a worker, never the server.
_OOM_SCORE = "600"
_PR_SET_PDEATHSIG = 1


def main(arguments: List[str]) -> int:
    """`[--preload] FD`: serves the socket with that number until it is closed."""
    preload = arguments[:1] == ["--preload"]
    _prepare_output()
    _prefer_for_oom()
    channel = wire.Channel(int(arguments[-1]))
    try:
        loaded, facts = _start()
    except ScriptError as error:
        _report_failure(channel, error)
        return 3
    channel.send(wire.READY, b"", json.dumps(facts).encode("utf-8"))
    if preload:
        return _fork_for_ever(channel, loaded)
    return _serve(channel, loaded)


def _prepare_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace",  # type: ignore[union-attr]
                           line_buffering=True)
    level = os.environ.get("AZUREML_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(
        stream=sys.stderr, level=level if level in _LEVELS else "INFO",
        format="%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s")


def _prefer_for_oom() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OOM_SCORE)
    except OSError:
        pass


def _start() -> Any:
    app_root = os.environ.get("AML_APP_ROOT") or os.getcwd()
    source = os.environ.get("AZUREML_SOURCE_DIRECTORY") or app_root
    for folder in (app_root, source):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    # As for Python itself, but last: a script in a subfolder finds what lies beside it.
    entry = os.path.dirname(os.environ.get("AZUREML_ENTRY_SCRIPT", ""))
    if os.path.isabs(entry) and entry not in sys.path:
        sys.path.append(entry)
    fallback = os.environ.pop("SLIPWAY_PYTHON_FALLBACK", "")
    sys.path.extend(folder for folder in fallback.split(":") if folder)
    loaded = script.load(os.environ.get("AZUREML_ENTRY_SCRIPT", ""))
    loaded.start()
    facts: Dict[str, Any] = {
        "python": "%d.%d.%d" % sys.version_info[:3],
        "raw": loaded.raw,
        "decorated": loaded.decorated,
        "swagger": swagger.documents(loaded.run, loaded.decorated, app_root)}
    return loaded, facts


def _report_failure(channel: wire.Channel, error: ScriptError) -> None:
    lines = tree.listing(os.environ.get("AZUREML_MODEL_DIR", ""))
    print("Model directory contents:", file=sys.stderr)
    for line in lines:
        print(line, file=sys.stderr)
    _flush()
    body = {"cause": error.cause, "message": str(error), "fix": error.fix, "model_files": lines}
    channel.send(wire.FAILED, b"", json.dumps(body).encode("utf-8"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass


def _serve(channel: wire.Channel, loaded: script.Script) -> int:
    while True:
        try:
            _, head, body = channel.receive()
        except (wire.Closed, OSError):
            return 0
        reply = loaded.answer(wire.read_request(head, body))
        _flush()
        try:
            channel.send(wire.REPLY, wire.write_reply(reply), reply.body)
        except wire.Closed:
            return 0


def _fork_for_ever(channel: wire.Channel, loaded: script.Script) -> int:
    """Makes a copy of this process, after init(), each time one is asked for."""
    while True:
        try:
            if channel.receive_order() != wire.FORK:
                return 1
            socket_end, out, err = channel.receive_descriptors(3)
        except (wire.Closed, OSError):
            return 0
        _flush()
        child = os.fork()
        if child == 0:
            channel.close()
            return _serve(_become_worker(socket_end, out, err), loaded)
        for descriptor in (socket_end, out, err):
            os.close(descriptor)
        _reap()
        channel.send(wire.FORKED, b"", json.dumps({"pid": child}).encode("utf-8"))


def _become_worker(socket_end: int, out: int, err: int) -> wire.Channel:
    parent = os.getppid()
    os.setsid()
    _die_with_parent(parent)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    _reseed()
    return wire.Channel(socket_end)


def _die_with_parent(parent: int) -> None:
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def _reseed() -> None:
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0] > 0:
            pass
    except ChildProcessError:
        pass
