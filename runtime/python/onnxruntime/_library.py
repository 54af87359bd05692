# SPDX-License-Identifier: Apache-2.0
"""The C library (slipway.h) by ctypes: where it is, and the functions that this package calls."""

import ctypes
import os
import pathlib
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_void_p

NAME = "libslipway.so.1"
ABI_VERSION = 1


class View(Structure):
    """slipway_view: a value and where its elements lie."""

    _fields_ = [
        ("value", c_void_p),
        ("data", c_void_p),
        ("dims", c_void_p),
        ("rank", c_size_t),
        ("bytes", c_size_t),
        ("kind", c_int32),
        ("dtype", c_int32),
        ("head", c_int64 * 6),
    ]


class Options(Structure):
    """slipway_session_options."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("device", c_int32),
        ("threads", c_int32),
        ("no_passes", c_int32),
        ("reference", c_int32),
        ("profile", c_int32),
        ("strict_accuracy", c_int32),
        ("memory_bytes", c_int64),
        ("tensor_bytes", c_int64),
        ("string_bytes", c_int64),
        ("loop_trips", c_int64),
        ("deadline_ms", c_int64),
        ("cancel", c_void_p),
        ("choices_file", c_char_p),
        ("tune_ms", c_int64),
        ("precision", c_int32),
    ]


class RunOptions(Structure):
    """slipway_run_options."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("deadline_ms", c_int64),
        ("cancel", c_void_p),
    ]


# Functions that return at once; called with the interpreter's lock held.
_QUICK = {
    "abi_version": (ctypes.c_uint32, ()),
    "version": (c_char_p, ()),
    "status_code": (c_int32, (c_void_p,)),
    "status_message": (c_char_p, (c_void_p,)),
    "status_id": (c_char_p, (c_void_p,)),
    "status_fix": (c_char_p, (c_void_p,)),
    "status_release": (None, (c_void_p,)),
    "text_release": (None, (c_void_p,)),
    "type_kind": (c_int32, (c_void_p,)),
    "type_dtype": (c_int32, (c_void_p,)),
    "type_rank": (c_int64, (c_void_p,)),
    "type_dim": (c_int64, (c_void_p, c_int64)),
    "type_symbol": (c_char_p, (c_void_p, c_int64)),
    "type_element": (c_void_p, (c_void_p,)),
    "type_text": (c_char_p, (c_void_p,)),
    "model_count": (c_size_t, (c_void_p, c_int32)),
    "model_name": (c_char_p, (c_void_p, c_int32, c_size_t)),
    "model_type": (c_void_p, (c_void_p, c_int32, c_size_t)),
    "model_text_of": (c_char_p, (c_void_p, c_int32)),
    "model_version": (c_int64, (c_void_p,)),
    "model_metadata_count": (c_size_t, (c_void_p,)),
    "model_metadata_key": (c_char_p, (c_void_p, c_size_t)),
    "model_metadata_value": (c_char_p, (c_void_p, c_size_t)),
    "tensor_create": (c_void_p, (c_int32, c_void_p, c_size_t, POINTER(c_void_p))),
    "tensor_data": (c_void_p, (c_void_p,)),
    "tensor_size": (c_int64, (c_void_p,)),
    "tensor_set_strings": (c_void_p, (c_void_p, c_char_p, c_void_p)),
    "tensor_get_strings": (c_void_p, (c_void_p, POINTER(c_void_p), c_void_p)),
    "sequence_create": (c_void_p, (c_void_p, c_size_t, POINTER(c_void_p))),
    "map_create": (c_void_p, (c_void_p, c_void_p, c_size_t, POINTER(c_void_p))),
    "none_create": (c_void_p, (POINTER(c_void_p),)),
    "value_count": (c_size_t, (c_void_p,)),
    "value_item": (c_void_p, (c_void_p, c_size_t, POINTER(c_void_p))),
    "map_keys": (c_void_p, (c_void_p, POINTER(c_void_p))),
    "map_items": (c_void_p, (c_void_p, POINTER(c_void_p))),
    "sequence_maps": (c_void_p, (c_void_p, POINTER(c_void_p), POINTER(c_void_p))),
    "value_release": (None, (c_void_p,)),
    "value_view": (None, (c_void_p, POINTER(View))),
    "session_options_init_sized": (None, (POINTER(Options), c_size_t)),
    "session_memory": (c_int64, (c_void_p,)),
    "session_warning": (c_char_p, (c_void_p,)),
    "run_options_init_sized": (None, (POINTER(RunOptions), c_size_t)),
    "cancel_create": (c_void_p, (POINTER(c_void_p),)),
    "cancel_set": (None, (c_void_p, c_int32)),
    "cancel_release": (None, (c_void_p,)),
}
# Functions that may take long; the interpreter's lock is released meanwhile.
_LONG = {
    "model_load": (c_void_p, (c_char_p, POINTER(c_void_p))),
    "model_parse": (c_void_p, (c_char_p, c_size_t, POINTER(c_void_p))),
    "model_release": (None, (c_void_p,)),
    "session_create": (c_void_p, (c_void_p, POINTER(Options), POINTER(c_void_p))),
    "session_run_views": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
    ),
    "session_run_views_with": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(RunOptions), c_void_p),
    ),
    "session_run_into": (
        c_void_p,
        (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(RunOptions), c_void_p),
    ),
    "session_profile": (c_void_p, (c_void_p, POINTER(c_void_p))),
    "session_release": (None, (c_void_p,)),
}


def candidates():
    """Where the library is looked for, in this order."""
    given = os.environ.get("SLIPWAY_LIBRARY")
    if given:
        return [given]
    here = pathlib.Path(__file__).resolve().parent
    # Beside the package; <prefix>/python/onnxruntime of an image; <prefix>/lib/slipway/python.
    above = list(here.parents)
    folders = [here] + [folder / "lib" for folder in above[2:3]] + above[3:4]
    found = [str(folder / NAME) for folder in folders if (folder / NAME).is_file()]
    return found + [NAME]


def _open():
    tried = []
    for path in candidates():
        try:
            return path, ctypes.PyDLL(path), ctypes.CDLL(path)
        except OSError as error:
            tried.append(str(error))
    raise ImportError(
        "onnxruntime: %s cannot be loaded: %s; set SLIPWAY_LIBRARY to its path"
        % (NAME, "; ".join(tried))
    )


def _declare(library, functions):
    made = {}
    for name, (result, arguments) in functions.items():
        try:
            function = getattr(library, "slipway_" + name)
        except AttributeError:
            raise ImportError(
                "onnxruntime: %s is too old: it has no slipway_%s" % (path, name)
            ) from None
        function.restype = result
        function.argtypes = arguments
        made[name] = function
    return made


class _Functions:
    """slipway_<name> as an attribute <name>."""

    def __init__(self, functions):
        self.__dict__.update(functions)


path, _quick, _long = _open()
lib = _Functions({**_declare(_quick, _QUICK), **_declare(_long, _LONG)})
if lib.abi_version() != ABI_VERSION:
    raise ImportError(
        "onnxruntime: %s has ABI %d where this package speaks %d"
        % (path, lib.abi_version(), ABI_VERSION)
    )


def take_text(pointer):
    """The text of a `char **` output argument, given back to the library."""
    try:
        return ctypes.string_at(pointer)
    finally:
        lib.text_release(pointer)


def make(function, *arguments):
    """Calls a function whose last argument is an object it makes: (status, handle)."""
    handle = c_void_p()
    status = function(*arguments, byref(handle))
    return status, handle.value
