# SPDX-License-Identifier: Apache-2.0
"""Kinds of values (flow.py), and what calls, subscripts and arithmetic make of them.

("session", model)      an InferenceSession, of the model of that name or None
("results", model, numeric)     the list that its run() returns
("output", model)       one of these where all are arrays of numbers
("array", dtype)        a numpy array; "default" is what np.array makes of lists of numbers:
                        float64 or int64
("path", model)         where a model lies
("port", model, side, index), ("portname", …)   an item of get_inputs(), and its name
("json",)               what json.loads gives, and what is inside it
("str", text or None), ("bytes",), ("number",), ("none",), ("set",)
("list", bad, plain), ("dict", bad, feed)   bad: holds what JSON cannot say; plain: of numbers
                        and what JSON says; feed: an index into Flow.feeds
("module", dotted), ("function", name), ("builtin", name), ("attribute", kind, name)
"""

import ast

UNKNOWN = ("unknown",)
NONE = ("none",)

_PATHS = ("azureml.core.model.Model.get_model_path", "azureml.core.Model.get_model_path")
_FROM_ARRAY = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"}
_KEEP = {
    "expand_dims",
    "reshape",
    "squeeze",
    "transpose",
    "ravel",
    "flip",
    "clip",
    "moveaxis",
    "swapaxes",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "copy",
    "repeat",
    "tile",
}
_KEEP_METHODS = {
    "reshape",
    "squeeze",
    "transpose",
    "ravel",
    "flatten",
    "copy",
    "clip",
    "repeat",
    "swapaxes",
}
_MAKE = {"zeros", "ones", "empty", "full", "zeros_like", "ones_like"}
_DTYPES = {
    "float32",
    "float64",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool_",
    "double",
    "single",
    "half",
}
_SAME = {
    "double": "float64",
    "single": "float32",
    "half": "float16",
    "float": "float64",
    "int": "int64",
    "f": "float32",
    "d": "float64",
    "f4": "float32",
    "f8": "float64",
    "i4": "int32",
    "i8": "int64",
    "<f4": "float32",
    "bool_": "bool",
}


def constant(value):
    if isinstance(value, str):
        return ("str", value)
    if isinstance(value, bytes):
        return ("bytes",)
    return NONE if value is None else ("number",) if isinstance(value, (int, float)) else UNKNOWN


def dtype_name(kinds):
    """The dtype that an argument names, or an empty text."""
    if len(kinds) != 1:
        return ""
    [kind] = kinds
    if kind[0] == "str" and kind[1]:
        return _SAME.get(kind[1], kind[1])
    if kind[0] == "builtin" and kind[1] in ("float", "int", "bool"):
        return _SAME.get(kind[1], kind[1])
    if kind[0] == "module" and kind[1].startswith("numpy."):
        return _SAME.get(kind[1][6:], kind[1][6:])
    return ""


def unserializable(kinds):
    """Whether json.dumps refuses a value of these kinds, whichever it is."""
    return bool(kinds) and all(
        kind[0] in ("array", "output", "bytes", "set", "npscalar")
        or (kind[0] in ("list", "dict") and kind[1])
        for kind in kinds
    )


def _item(kind):
    if kind[0] == "results" and kind[2]:
        return ("output", kind[1])
    return kind if kind[0] in ("json", "output") else UNKNOWN


def items(kinds):
    """Kinds of what is inside. Of an output it may be a number of numpy's: as little JSON."""
    return frozenset(_item(kind) for kind in kinds) or frozenset([UNKNOWN])


def plain(kinds):
    """Whether a value is made of numbers and of what JSON says."""
    return bool(kinds) and all(
        kind[0] in ("json", "number") or (kind[0] == "list" and kind[2]) for kind in kinds
    )


def subscript(kind, index, request):
    if kind[0] == "results":
        if index is None:
            return kind
        return ("output", kind[1]) if kind[2] else UNKNOWN
    if kind[0] == "ports":
        return ("port", kind[1], kind[2])
    if kind[0] in ("output", "json"):
        return kind
    if kind == ("module", "os.environ") and index is not None:
        return _environment(index, request)
    return UNKNOWN


def _environment(kinds, request):
    if kinds == frozenset([("str", "AZUREML_MODEL_DIR")]):
        return ("path", request.models[0].name if len(request.models) == 1 else None)
    return ("str", None)


def arithmetic(left, right, operator):
    """Kinds of a sum, product and so on."""
    both = [kind for kind in left | right]
    names = {kind[0] for kind in both}
    if names <= {"number"}:
        return frozenset([("number",)])
    if (
        names <= {"str", "number", "list", "dict", "unknown"}
        and left
        and all(kind[0] == "str" for kind in left)
    ):
        return frozenset([("str", None)])
    arrays = [kind for kind in both if kind[0] in ("array", "output")]
    if arrays and names <= {"array", "output", "number"}:
        types = {kind[1] if kind[0] == "array" else "output" for kind in arrays}
        if len(types) == 1 and types != {"output"}:
            [one] = types
            if isinstance(operator, ast.Div) and one in ("default", "int64", "int32"):
                one = "float64"
            return frozenset([("array", one)])
        return frozenset([("array", "unknown")])
    return frozenset([UNKNOWN])


def call(function, node, flow):
    """The kind of a call's result."""
    if function[0] == "module":
        return _module_call(function[1], node, flow)
    if function[0] == "builtin":
        return _builtin_call(function[1], node, flow)
    if function[0] == "attribute":
        return _method_call(function[1], function[2], node, flow)
    return UNKNOWN


def argument(node, position, name):
    """An argument of a call by keyword or position, or None."""
    for word in node.keywords:
        if word.arg == name:
            return word.value
    return node.args[position] if position < len(node.args) else None


def _first(node, flow):
    return flow.of(node.args[0]) if node.args else frozenset()


def _only(kinds, name):
    """The one kind there is, if it has that name."""
    if len(kinds) == 1:
        [kind] = kinds
        if kind[0] == name:
            return kind
    return None


def _module_call(dotted, node, flow):
    if dotted == "onnxruntime.InferenceSession":
        path = _only(flow.of(argument(node, 0, "path_or_bytes")), "path")
        return ("session", path[1] if path else None)
    if dotted in _PATHS:
        name = _only(flow.of(argument(node, 0, "model_name")), "str")
        return ("path", name[1] if name else None)
    if dotted in ("os.path.join", "pathlib.Path", "str", "os.path.abspath", "os.fspath"):
        path = _only(_first(node, flow), "path")
        return path or ("str", None) if dotted.startswith("os") else path or UNKNOWN
    if dotted in ("os.getenv", "os.environ.get"):
        return _environment(_first(node, flow), flow.request)
    if dotted in ("json.loads", "json.load"):
        return ("json",)
    if dotted == "json.dumps":
        return ("str", None)
    if dotted.startswith("numpy."):
        return _numpy_call(dotted[6:], node, flow)
    return UNKNOWN


def _numpy_call(name, node, flow):
    given = argument(node, 2 if name == "full" else 1, "dtype")
    named = dtype_name(flow.of(given)) if given is not None else ""
    first = _first(node, flow)
    if name in _FROM_ARRAY:
        if given is not None:
            return ("array", named or "unknown")
        types = {
            kind[1] if kind[0] == "array" else "unknown"
            for kind in first
            if kind[0] in ("array", "output", "results")
        }
        if types:
            return (
                "array",
                (
                    types.pop()
                    if len(types) == 1 and all(k[0] == "array" for k in first)
                    else "unknown"
                ),
            )
        return ("array", "default" if plain(first) else "unknown")
    if name in _KEEP:
        return _only(first, "array") or ("array", "unknown")
    if name in _DTYPES:
        listed = first and all(kind[0] in ("array", "list", "output", "results") for kind in first)
        return ("array", _SAME.get(name, name)) if listed else UNKNOWN
    if name in _MAKE:
        return (
            "array",
            (
                "unknown"
                if name.endswith("_like")
                else (named or "unknown") if given is not None else "float64"
            ),
        )
    if name in ("random.rand", "random.randn", "random.random", "random.random_sample"):
        return ("array", "float64") if node.args else UNKNOWN
    if name in ("argmax", "argmin") and len(node.args) == 1 and not node.keywords:
        return ("npscalar",)
    if name in ("stack", "vstack", "hstack", "concatenate", "where", "exp", "sqrt"):
        return (
            ("array", "unknown")
            if name in ("stack", "vstack", "hstack", "concatenate")
            else UNKNOWN
        )
    return UNKNOWN


def _builtin_call(name, node, flow):
    if name == "str" and len(node.args) <= 1:
        return _only(_first(node, flow), "path") or ("str", None)
    if name in ("float", "int", "len", "bool", "round", "abs"):
        return ("number",) if name not in ("round", "abs") else UNKNOWN
    if name in ("bytes", "bytearray"):
        return ("bytes",)
    if name in ("set", "frozenset"):
        return ("set",)
    if name == "list":
        first = _only(_first(node, flow), "results")
        return first or UNKNOWN
    return UNKNOWN


def _method_call(kind, name, node, flow):
    if kind[0] == "session":
        return _session_call(kind[1], name, node, flow)
    if kind[0] in ("array", "output"):
        if name == "astype":
            return ("array", dtype_name(_first(node, flow)) or "unknown")
        if name in _KEEP_METHODS:
            return kind
        if name in ("argmax", "argmin") and not node.args and not node.keywords:
            return ("npscalar",)
        if name == "tobytes":
            return ("bytes",)
    if kind[0] == "json" and name in ("get", "pop", "values", "items"):
        return kind
    if kind[0] == "str" and name in ("format", "join", "strip", "lower", "upper", "replace"):
        return ("str", None)
    if kind[0] == "str" and name == "encode":
        return ("bytes",)
    return UNKNOWN


def _session_call(model, name, node, flow):
    if name == "run":
        known = flow.request.model(model) if model else None
        if model is None and len(flow.request.models) == 1:
            known = flow.request.models[0]
        return ("results", model, bool(known and known.numeric_outputs()))
    if name in ("get_inputs", "get_outputs"):
        return ("ports", model, name)
    return UNKNOWN
