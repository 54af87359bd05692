# SPDX-License-Identifier: Apache-2.0
"""Calls that end the server's process or wait for a keyboard."""

import ast

from findings import ERROR, Finding

_ENDS = {"sys.exit", "os._exit", "os.abort"}


def check(script, flow, request):
    reached = script.reachable_from("init", "run")
    for node in ast.walk(script.tree):
        if not isinstance(node, ast.Call) or script.in_main_guard(node):
            continue
        function = script.function_of(node)
        if function is not None and function.name not in reached:
            continue
        name = getattr(node.func, "id", "")
        builtin = name and any(kind == ("builtin", name) for kind in flow.of(node.func))
        if builtin and name == "input":
            yield Finding(
                "BlocksOnInput",
                ERROR,
                node,
                "input() waits for a keyboard, and the server has none",
                "take what is asked for from the request or from an environment variable",
            )
        elif flow.dotted(node.func) in _ENDS or (builtin and name in ("exit", "quit")):
            if "SystemExit" not in script.handlers_around(node):
                yield Finding(
                    "EndsProcess",
                    ERROR,
                    node,
                    "%s() ends the server's process" % (flow.dotted(node.func) or name),
                    "raise an exception instead: the request then ends with an error",
                )
