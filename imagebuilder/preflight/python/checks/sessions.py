# SPDX-License-Identifier: Apache-2.0
"""A session that run() makes anew for every request."""

import ast

from findings import WARNING, Finding


def check(script, flow, request):
    reached = script.reachable_from("run") - script.reachable_from("init")
    for name in reached:
        for node in ast.walk(script.functions[name]):
            if (
                isinstance(node, ast.Call)
                and flow.dotted(node.func) == "onnxruntime.InferenceSession"
            ):
                if not _kept(script, node):
                    yield Finding(
                        "SessionPerRequest",
                        WARNING,
                        node,
                        "the session is made anew for every request",
                        "make it once, in init(), as a global",
                    )


def _kept(script, node):
    """Whether it is made only where there is none yet."""
    for above in script.ancestors(node):
        if isinstance(above, (ast.If, ast.ExceptHandler, ast.IfExp)):
            return True
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return bool(above.decorator_list)
    return False
