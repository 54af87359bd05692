# SPDX-License-Identifier: Apache-2.0
"""What run() returns, and what json.dumps is given, must be JSON."""

import ast

from findings import ERROR, WARNING, Finding
from kinds import unserializable

_WHAT = {
    "array": "a numpy array",
    "output": "a numpy array",
    "npscalar": "a number of numpy's type",
    "bytes": "bytes",
    "set": "a set",
    "list": "a list that holds a numpy array, bytes or a set",
    "dict": "a dict that holds a numpy array, bytes or a set",
}
_FIX = {
    "array": "return it as a list: .tolist()",
    "output": "return it as a list: .tolist()",
    "npscalar": "make it a Python number: int(...) or float(...)",
    "bytes": "decode it: .decode(), or return an AMLResponse",
    "set": "return a list",
    "list": ".tolist() the arrays in it",
    "dict": ".tolist() the arrays in it",
}
_CODES = {"array": "ReturnsArray", "output": "ReturnsArray", "bytes": "ReturnsBytes"}


def check(script, flow, request):
    run = script.functions.get("run")
    if run is not None and isinstance(run, ast.FunctionDef) and not _raw(run):
        yield from _returns(script, run, flow)
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Call) and flow.dotted(node.func) == "json.dumps" and node.args:
            own = any(word.arg in ("default", "cls") or word.arg is None for word in node.keywords)
            if not own and unserializable(flow.of(node.args[0])):
                kind = sorted(flow.of(node.args[0]))[0][0]
                yield Finding(
                    "NotSerializable",
                    ERROR,
                    node.args[0],
                    "json.dumps is given %s, which JSON cannot say" % _WHAT[kind],
                    _FIX[kind],
                )


def _raw(run):
    """Whether the answer need not be JSON, or somebody else changes it."""
    names = [
        getattr(
            d.func if isinstance(d, ast.Call) else d,
            "id",
            getattr(d.func if isinstance(d, ast.Call) else d, "attr", ""),
        )
        for d in run.decorator_list
    ]
    return any(name not in ("input_schema", "output_schema") for name in names)


def _own_returns(node):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(child, ast.Return):
            yield child
        yield from _own_returns(child)


def _returns(script, run, flow):
    returns = [node for node in _own_returns(run)]
    gives = [node for node in returns if node.value is not None]
    for node in gives:
        if unserializable(flow.of(node.value)):
            kind = sorted(flow.of(node.value))[0][0]
            yield Finding(
                _CODES.get(kind, "NotSerializable"),
                ERROR,
                node,
                "run() returns %s: the server answers 500, JSON cannot say it" % _WHAT[kind],
                _FIX[kind],
            )
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(run))
    yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(run))
    if not gives and not raises and not yields:
        yield Finding(
            "ReturnsNothing",
            WARNING,
            run,
            "run() returns nothing: every answer is {}",
            "return the result",
        )
