# SPDX-License-Identifier: Apache-2.0
"""One inference in one call, where all inputs are arrays: libslipway_python.so (fast_run.cpp).

`run` is None where that library is neither beside this package nor beside the other one, or
SLIPWAY_PYTHON_FAST is 0; the engine then does the same by ctypes alone.
"""

import ctypes
import os
import platform
import sysconfig
from ctypes import Structure, c_size_t, c_void_p

import numpy as np

from . import _dtypes
from ._library import lib, path

NAME = "libslipway_python.so"


class _Library(Structure):
    """slipway_python_library."""

    _fields_ = [
        (name, c_void_p)
        for name in (
            "session_run_views",
            "value_release",
            "value_view",
            "status_release",
            "text_release",
            "tensor_create",
            "tensor_set_strings",
            "tensor_get_strings",
            "sequence_maps",
            "map_keys",
            "map_items",
        )
    ]


class _Call(Structure):
    """slipway_python_call."""

    _fields_ = [
        ("session", c_void_p),
        ("input_names", c_void_p),
        ("input_count", c_size_t),
        ("output_names", c_void_p),
        ("output_count", c_size_t),
        ("array_type", c_void_p),
        ("empty", c_void_p),
        ("dtypes", c_void_p),
        ("dtype_count", c_size_t),
        ("none", c_void_p),
        ("library", c_void_p),
    ]


# The objects that the C side knows by address live as long as this module.
_made_of = {**_dtypes.DTYPES, _dtypes.STRING: np.dtype(object)}
_objects = (np.ndarray, np.empty, [_made_of.get(n) for n in range(max(_made_of) + 1)])
_dtypes_at = (c_void_p * len(_objects[2]))(*[d is not None and id(d) or None for d in _objects[2]])

_library = _Library(*[ctypes.cast(getattr(lib, name), c_void_p) for name, _ in _Library._fields_])


class Call:
    """What stays the same from call to call of a session with these names."""

    __slots__ = ("address", "_call", "_names")

    def __init__(self, session, given, chosen):
        self._names = (given, chosen)
        self._call = _Call(
            session,
            given.address,
            given.count,
            chosen.address,
            chosen.count,
            id(_objects[0]),
            id(_objects[1]),
            ctypes.addressof(_dtypes_at),
            len(_objects[2]),
            id(None),
            ctypes.addressof(_library),
        )
        self.address = ctypes.addressof(self._call)


def _load():
    if os.environ.get("SLIPWAY_PYTHON_FAST") == "0":
        return None
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    for folder in (os.path.dirname(os.path.abspath(__file__)), os.path.dirname(path)):
        try:
            function = ctypes.PyDLL(os.path.join(folder, NAME)).slipway_python_run
            break
        except (OSError, AttributeError):
            continue
    else:
        return None
    function.argtypes, function.restype = (c_void_p, ctypes.py_object), ctypes.py_object
    return function


run = _load()
