# SPDX-License-Identifier: Apache-2.0
"""What is given to session.run(): names and element types as the model's signature has them."""

import ast

from findings import ERROR, Finding, nearest
from kinds import argument

_NUMPY = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
_WORDS = {"default": "float64 or int64", "float64": "float64"}


def check(script, flow, request):
    for node in ast.walk(script.tree):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or node.func.attr != "run"
        ):
            continue
        if not flow.all_are(node.func.value, "session"):
            continue
        model = _model(flow.of(node.func.value), request)
        if model is None:
            continue
        yield from _outputs(argument(node, 0, "output_names"), flow, model)
        yield from _inputs(argument(node, 1, "input_feed"), flow, model)


def _model(sessions, request):
    names = {kind[1] for kind in sessions}
    if len(names) == 1:
        [name] = names
        if name is not None:
            return request.model(name) or _same_but_case(name, request)
    return request.models[0] if names == {None} and len(request.models) == 1 else None


def _same_but_case(name, request):
    same = [model for model in request.models if model.name.lower() == name.lower()]
    return same[0] if len(same) == 1 else None


def _text(kinds):
    """The one text there is, or None."""
    if len(kinds) == 1:
        [kind] = kinds
        return kind[1] if kind[0] == "str" else None
    return None


def _outputs(node, flow, model):
    if not isinstance(node, (ast.List, ast.Tuple)) or not model.outputs:
        return
    for item in node.elts:
        name = _text(flow.of(item))
        if name is not None and name not in model.outputs:
            yield Finding(
                "UnknownOutput",
                ERROR,
                item,
                "model %s has no output '%s'; its outputs are %s"
                % (model.name, name, ", ".join(model.outputs)),
                "write '%s'" % (nearest(name, model.outputs) or next(iter(model.outputs))),
            )


def _inputs(node, flow, model):
    found = flow.of(node) if node is not None else ()
    if not model.inputs or len(found) != 1:
        return
    [kind] = found
    if kind[0] != "dict" or kind[2] < 0:
        return
    pairs, named = flow.feeds[kind[2]], []
    for key, value in pairs:
        wanted, name = _wanted(key, flow, model)
        named.append(name)
        if name is not None and name not in model.inputs:
            yield Finding(
                "UnknownInput",
                ERROR,
                key,
                "model %s has no input '%s'; its inputs are %s"
                % (model.name, name, ", ".join(model.inputs)),
                "write '%s'" % (nearest(name, model.inputs) or next(iter(model.inputs))),
            )
        elif wanted:
            yield from _type(key, value, flow, model, wanted)
    missing = [name for name in model.inputs if name not in named]
    if missing and None not in named and not any(key is None for key, _ in pairs):
        if all(name in model.inputs for name in named):
            yield Finding(
                "MissingInput",
                ERROR,
                node,
                "model %s also wants input %s" % (model.name, ", ".join(missing)),
                "feed every input: %s" % ", ".join(model.inputs),
            )


def _wanted(key, flow, model):
    """The type that is wanted under a key of a feed, and the name, where they can be told."""
    kinds = flow.of(key) if key is not None else frozenset()
    name = _text(kinds)
    if name is not None:
        return model.inputs.get(name, ""), name
    types = set(model.inputs.values())
    return (types.pop() if len(types) == 1 else ""), None


def _type(key, value, flow, model, wanted):
    found = flow.of(value)
    dtype = _NUMPY.get(wanted)
    if dtype is None or not found or any(kind[0] != "array" for kind in found):
        return
    types = {kind[1] for kind in found}
    if "unknown" in types or dtype in types or len(types) != 1:
        return
    [got] = types
    if got == "default" and dtype in ("float64", "int64"):
        return
    yield Finding(
        "InputType",
        ERROR,
        value,
        'a %s array goes into an input of type %s of model %s: every request ends with "Unexpected'
        ' input data type"' % (_WORDS.get(got, got), wanted, model.name),
        "make the array with dtype=np.%s, or .astype(np.%s)" % (dtype, dtype),
    )
