# SPDX-License-Identifier: Apache-2.0
"""One inference in one call, where all inputs are arrays: libslipway_python.so (fast_run.cpp).

`make_run` is None where that library is neither beside this package nor beside the other one, or
SLIPWAY_PYTHON_FAST is 0; the engine then does the same by ctypes alone.
"""

import ctypes
import os
import platform
import sysconfig
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_int,
    c_size_t,
    c_ssize_t,
    c_uint,
    c_void_p,
    sizeof,
)

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
        ("numpy_empty", c_void_p),
    ]


# The objects that the C side knows by address live as long as this module.
_made_of = {**_dtypes.DTYPES, _dtypes.STRING: np.dtype(object)}
_objects = (np.ndarray, np.empty, [_made_of.get(n) for n in range(max(_made_of) + 1)])
_dtypes_at = (c_void_p * len(_objects[2]))(*[d is not None and id(d) or None for d in _objects[2]])

_library = _Library(*[ctypes.cast(getattr(lib, name), c_void_p) for name, _ in _Library._fields_])


class _Array(Structure):
    """NumpyArray."""

    _fields_ = [
        ("object", c_void_p * 2),
        ("data", c_void_p),
        ("rank", c_int),
        ("dims", POINTER(c_ssize_t)),
        ("strides", c_void_p),
        ("base", c_void_p),
        ("dtype", c_void_p),
        ("flags", c_int),
    ]


_ROW_MAJOR, _ALIGNED = 0x1, 0x100
_ABI_VERSIONS = (0x1000009, 0x2000000)  # PyArray_GetNDArrayCVersion() of NumPy 1 and 2
_EMPTY = 184  # PyArray_Empty in NumPy's table of functions


def _is_array(array, order):
    """Whether the array is laid out as numpy_array.h says."""
    seen = _Array.from_address(id(array))
    return (
        seen.data == array.__array_interface__["data"][0]
        and seen.rank == array.ndim
        and tuple(seen.dims[: array.ndim]) == array.shape
        and seen.dtype == id(array.dtype)
        and seen.flags & (_ROW_MAJOR | _ALIGNED) == order
    )


def _find_numpy_empty():
    """The address of NumPy's function; None where arrays are laid out in another way."""
    if object.__basicsize__ != _Array.data.offset or np.ndarray.__basicsize__ < sizeof(_Array):
        return None
    try:
        core = np._core if hasattr(np, "_core") else np.core
        table_of = ctypes.pythonapi.PyCapsule_GetPointer
        table_of.argtypes, table_of.restype = (ctypes.py_object, c_void_p), POINTER(c_void_p)
        table = table_of(core._multiarray_umath._ARRAY_API, None)
        if CFUNCTYPE(c_uint)(table[0])() not in _ABI_VERSIONS:
            return None
    except (AttributeError, TypeError, ValueError):
        return None
    whole = np.zeros((2, 3), np.float32)
    as_said = _is_array(whole, _ROW_MAJOR | _ALIGNED) and _is_array(whole.T, _ALIGNED)
    return table[_EMPTY] if as_said and _is_array(np.zeros(()), _ROW_MAJOR | _ALIGNED) else None


_numpy_empty = _find_numpy_empty()


class Call:
    """What stays the same from call to call of a session with these names; `run` takes a dict."""

    __slots__ = ("run", "_call", "_names")

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
            _numpy_empty,
        )
        self.run = make_run(ctypes.addressof(self._call))


def _load():
    if os.environ.get("SLIPWAY_PYTHON_FAST") == "0":
        return None
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    for folder in (os.path.dirname(os.path.abspath(__file__)), os.path.dirname(path)):
        try:
            function = ctypes.PyDLL(os.path.join(folder, NAME)).slipway_python_function
            break
        except (OSError, AttributeError):
            continue
    else:
        return None
    function.argtypes, function.restype = (c_void_p,), ctypes.py_object
    return function


make_run = _load()
