# SPDX-License-Identifier: Apache-2.0
"""What session.run() returns is a list of arrays, and is no array itself."""

import ast

from findings import ERROR, Finding

_OF_ARRAYS = {
    "tolist",
    "astype",
    "shape",
    "reshape",
    "argmax",
    "argmin",
    "flatten",
    "ravel",
    "squeeze",
    "dtype",
    "ndim",
    "size",
    "item",
    "max",
    "min",
    "sum",
    "mean",
    "round",
    "transpose",
    "T",
    "tobytes",
}


def check(script, flow, request):
    for node in ast.walk(script.tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _OF_ARRAYS
            and flow.all_are(node.value, "results")
        ):
            call = "()" if isinstance(node.parent, ast.Call) else ""
            yield Finding(
                "ResultsAreList",
                ERROR,
                node,
                ".%s%s on what session.run() returns: that is a list of the outputs, and a list has"
                " no %s" % (node.attr, call, node.attr),
                "take an output first: %s[0].%s%s" % (_text(node.value), node.attr, call),
            )


def _text(node):
    return node.id if isinstance(node, ast.Name) else "result"
