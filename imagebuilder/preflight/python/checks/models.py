# SPDX-License-Identifier: Apache-2.0
"""Model.get_model_path(): of a model that the image has, written as it is registered."""

import ast

from findings import ERROR, WARNING, Finding, nearest
from kinds import _PATHS, argument


def check(script, flow, request):
    names = sorted({model.name for model in request.models})
    for node in ast.walk(script.tree):
        if not isinstance(node, ast.Call) or flow.dotted(node.func) not in _PATHS:
            continue
        given = argument(node, 0, "model_name")
        found = (
            [kind[1] for kind in flow.of(given) if kind[0] == "str"] if given is not None else []
        )
        if len(found) != 1 or found[0] is None or argument(node, 2, "_workspace") is not None:
            continue
        caught = {"Exception", "BaseException", "ModelNotFoundException"} & set(
            script.handlers_around(node)
        )
        yield from _name(found[0], given, names, WARNING if caught else ERROR)
        if found[0] in names:
            yield from _version(found[0], argument(node, 1, "version"), request)


def _name(name, place, names, severity):
    if name in names:
        return
    like = nearest(name, names)
    if like.lower() == name.lower():
        yield Finding(
            "ModelNameCase",
            severity,
            place,
            "get_model_path('%s'): the model is registered as '%s', and names are case-sensitive"
            % (name, like),
            "write '%s'" % like,
        )
        return
    there = "the image's models are %s" % ", ".join(names) if names else "the image has no model"
    yield Finding(
        "UnknownModel",
        severity,
        place,
        "get_model_path('%s'): %s" % (name, there),
        (
            "did you mean '%s'?" % like
            if like
            else "add the model to the image, or write the name of one it has"
        ),
    )


def _version(name, node, request):
    version = getattr(node, "value", None)
    known = sorted(
        m.version for m in request.models if m.name == name and isinstance(m.version, int)
    )
    if (
        isinstance(version, int)
        and not isinstance(version, bool)
        and known
        and version not in known
    ):
        yield Finding(
            "UnknownModelVersion",
            ERROR,
            node,
            "get_model_path('%s', version=%d): the image has version %s"
            % (name, version, ", ".join(map(str, known))),
            "leave the version out, or write %d" % known[-1],
        )
