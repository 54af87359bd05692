# SPDX-License-Identifier: Apache-2.0
"""What the module of ONNX Runtime offers by name, and whether the module of this project does too.

onnxruntime_surface_peer.py record FILE      with either module on sys.path
onnxruntime_surface_peer.py compare THEIRS OURS

Compared are public names, members of classes, parameters of functions written in Python, values of
enumerations, defaults of options, and the bases of exceptions.
"""

import enum
import inspect
import json
import sys

import numpy as np
import onnxruntime as rt
from onnxruntime.capi import onnxruntime_pybind11_state as state

CLASSES = (
    "InferenceSession",
    "IOBinding",
    "ModelMetadata",
    "NodeArg",
    "OrtDevice",
    "OrtValue",
    "RunOptions",
    "SessionOptions",
)
ENUMERATIONS = (
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "OrtAllocatorType",
    "OrtMemType",
)
# Prefixes of names that are not there, and why.
ABSENT = {
    "onnxruntime.": {
        "Adapter": "adapters of weights are not supported",
        "LoraAdapter": "adapters of weights are not supported",
        "ModelCompiler": "models are prepared when a session is made",
        "ModelPackage": "packages of variants of a model are not supported",
        "OrtCompile": "models are prepared when a session is made",
        "OrtDeviceMemoryType": "interface of plug-in devices",
        "OrtDeviceVendorId": "interface of plug-in devices",
        "OrtEp": "interface of plug-in devices",
        "OrtExecutionProviderDevicePolicy": "interface of plug-in devices",
        "OrtExternalInitializerInfo": "interface of the model compiler",
        "OrtHardware": "interface of plug-in devices",
        "OrtMemoryInfoDeviceType": "interface of plug-in devices",
        "OrtSparseFormat": "values are dense",
        "OrtSyncStream": "interface of plug-in devices",
        "SparseTensor": "values are dense",
        "contextlib": "a module that it imports",
        "copy_tensors": "interface of plug-in devices",
        "cuda_version": "there is no CUDA",
        "get_ep_devices": "interface of plug-in devices",
        "import_capi_exception": "of its own loading",
        "onnxruntime_validation": "of its own loading",
    },
    "InferenceSession.": {
        "get_input_epdevices": "interface of plug-in devices",
        "get_input_memory_infos": "interface of plug-in devices",
        "get_output_memory_infos": "interface of plug-in devices",
        "get_provider_graph_assignment_info": "interface of plug-in devices",
        "release_captured_graph": "there are no graphs of CUDA",
    },
    "OrtValue.": {"ort_value_from_sparse_tensor": "values are dense"},
    "SessionOptions.": {
        "add_provider_for_devices": "interface of plug-in devices",
        "clear_ep_context_data_read_func": "interface of plug-in devices",
        "set_ep_context_data_read_func": "interface of plug-in devices",
    },
}
# Parameters that are not there, and why.
OTHER_PARAMETERS = {
    "OrtDevice.__init__": "of its own",
    "OrtValue.__init__": "of its own",
}


def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def parameters(function):
    """Names and whether each must be given; nothing for what is not written in Python."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found):
        return None
    return [[p.name, p.default is p.empty] for p in found if p.name != "self"]


def plain(value):
    if isinstance(value, enum.Enum) or type(value).__name__ in ENUMERATIONS:
        return value.name
    return value if isinstance(value, (bool, int, float, str)) else None


def defaults(options):
    return {
        name: plain(getattr(options, name))
        for name in public(options)
        if not callable(getattr(options, name))
    }


def members(kind):
    every = getattr(kind, "__members__", None)
    return {name: int(value.value) for name, value in every.items()}


def values():
    """What the methods of values say, as text."""
    tensor = rt.OrtValue.ortvalue_from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3))
    empty = rt.OrtValue.ortvalue_from_shape_and_type([2, 2], np.int64)
    return {
        "shape": list(tensor.shape()),
        "data_type": tensor.data_type(),
        "element_type": int(tensor.element_type()),
        "device_name": tensor.device_name(),
        "size": tensor.tensor_size_in_bytes(),
        "has_value": tensor.has_value(),
        "kinds": [tensor.is_tensor(), tensor.is_tensor_sequence(), tensor.is_sparse_tensor()],
        "numpy": tensor.numpy().tolist(),
        "of dlpack": rt.OrtValue.from_dlpack(np.arange(3.0)).numpy().tolist(),
        "to dlpack": np.from_dlpack(tensor).tolist(),
        "of a shape": [list(empty.shape()), empty.data_type()],
    }


def record(file):
    found = {
        "names": public(rt),
        "classes": {name: public(getattr(rt, name)) for name in CLASSES},
        "parameters": {},
        "enumerations": {name: members(getattr(rt, name)) for name in ENUMERATIONS},
        "defaults": {
            "SessionOptions": defaults(rt.SessionOptions()),
            "RunOptions": defaults(rt.RunOptions()),
        },
        "exceptions": {
            name: [base.__name__ for base in getattr(state, name).__mro__[1:]]
            for name in public(state)
            if inspect.isclass(getattr(state, name))
            and issubclass(getattr(state, name), BaseException)
        },
        "values": values(),
    }
    for name in CLASSES:
        kind = getattr(rt, name)
        for member in ["__init__", *public(kind)]:
            taken = parameters(getattr(kind, member))
            if taken is not None and callable(getattr(kind, member)):
                found["parameters"]["%s.%s" % (name, member)] = taken
    with open(file, "w", encoding="utf-8") as into:
        json.dump(found, into)


def reason(prefix, name):
    for begin, why in ABSENT.get(prefix, {}).items():
        if name.startswith(begin):
            return why
    return ""


def absent(prefix, theirs, ours):
    """Names that are not there; tells those whose reason is known, gives the others."""
    missing = [name for name in theirs if name not in ours]
    for name in missing:
        print("%s%s: not there: %s" % (prefix, name, reason(prefix, name) or "WHY?"))
    return [prefix + name for name in missing if not reason(prefix, name)]


def unlike(theirs, ours):
    """Parameters by which theirs is called and ours cannot be."""
    wrong = []
    for name, taken in theirs.items():
        if name not in ours or name in OTHER_PARAMETERS:
            continue
        mine = [parameter for parameter, _ in ours[name]]
        lacking = [parameter for parameter, _ in taken if parameter not in mine]
        demanded = [p for p, must in ours[name] if must and p not in [q for q, _ in taken]]
        if lacking or demanded:
            wrong.append("%s: lacks %s, demands %s" % (name, lacking, demanded))
    return wrong


def compare(theirs_file, ours_file):
    with open(theirs_file, encoding="utf-8") as a, open(ours_file, encoding="utf-8") as b:
        theirs, ours = json.load(a), json.load(b)
    wrong = absent("onnxruntime.", theirs["names"], ours["names"])
    for name in CLASSES:
        wrong += absent(name + ".", theirs["classes"][name], ours["classes"][name])
    wrong += unlike(theirs["parameters"], ours["parameters"])
    for part in ("enumerations", "defaults", "exceptions", "values"):
        for name, value in theirs[part].items():
            got = ours[part].get(name)
            if isinstance(value, dict):
                lost = {k: v for k, v in value.items() if (got or {}).get(k) != v}
                if lost:
                    wrong.append("%s of %s: %s there, here %s" % (part, name, lost, got))
            elif got != value:
                wrong.append("%s of %s: %s there, here %s" % (part, name, value, got))
    for line in wrong:
        print("WRONG: " + line)
    members_there = sum(map(len, theirs["classes"].values()))
    print("%d names and %d members compared" % (len(theirs["names"]), members_there))
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(sys.argv[2])
    else:
        sys.exit(compare(sys.argv[2], sys.argv[3]))
