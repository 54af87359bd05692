# SPDX-License-Identifier: Apache-2.0
"""Values of the library as Python objects, and the reverse.

Tensors are numpy arrays (of strings: object arrays of str), sequences lists, maps dicts, an empty
optional None. Arrays that come from the library lie in its memory and own it.
"""

import ctypes
from ctypes import byref, c_char, c_char_p, c_int64, c_void_p

import numpy as np

from . import _dtypes
from ._errors import InvalidArgument, check, error
from ._library import View, lib, make, take_text

NONE, TENSOR, SPARSE, SEQUENCE, MAP, OPTIONAL = range(6)

_release = lib.value_release


class Owner:
    """Owns a value of the library."""

    __slots__ = ("handle",)

    def __init__(self, handle):
        self.handle = handle

    def __del__(self, release=_release):
        release(self.handle)


def array_of(owner, data, shape, size, number):
    """The array over `size` bytes at `data`, which `owner` keeps."""
    packed = number in _dtypes.PACKED_BITS
    dtype = np.dtype(np.uint8) if packed else _dtypes.dtype_of(number)
    if size == 0:
        return np.empty(shape, _dtypes.dtype_of(number))
    memory = (c_char * size).from_address(data)
    memory.owner = owner
    if packed:
        return _dtypes.unpack(np.ndarray((size,), dtype, memory), number, shape)
    return np.ndarray(shape, dtype, memory)


def dims_of(address, rank):
    return tuple((c_int64 * rank).from_address(address)[:]) if rank else ()


def _strings(handle, shape):
    count = lib.tensor_size(handle)
    offsets = (c_int64 * (count + 1))()
    pointer = c_void_p()
    check(lib.tensor_get_strings(handle, byref(pointer), offsets))
    end = offsets[count]
    try:
        text = ctypes.string_at(pointer, end)
    finally:
        lib.text_release(pointer)
    array = np.empty(count, object)
    for index in range(count):
        array[index] = text[offsets[index] : offsets[index + 1]].decode("utf-8")
    return array.reshape(shape)


def _made(function, *arguments):
    status, handle = make(function, *arguments)
    check(status)
    return Owner(handle)


def _items(handle):
    return [to_python(_made(lib.value_item, handle, i)) for i in range(lib.value_count(handle))]


def _sequence_of(handle):
    """The items of a sequence; maps of the same keys and scalar values all at once."""
    keys, items = c_void_p(), c_void_p()
    status = lib.sequence_maps(handle, byref(keys), byref(items))
    if status:
        lib.status_release(status)
        return _items(handle)
    names = to_python(Owner(keys.value)).tolist()
    return [dict(zip(names, row)) for row in to_python(Owner(items.value)).tolist()]


def _map(handle):
    keys = to_python(_made(lib.map_keys, handle)).tolist()
    status, stacked = make(lib.map_items, handle)
    if status:
        lib.status_release(status)
        return dict(zip(keys, _items(handle)))
    return dict(zip(keys, to_python(Owner(stacked)).tolist()))


def to_python(owner):
    """The Python object of a value, whose memory it may share."""
    view = View()
    lib.value_view(owner.handle, byref(view))
    return from_view(owner, view.data, view.dims, view.rank, view.bytes, view.kind, view.dtype)


def from_view(owner, data, dims, rank, size, kind, number):
    """The same from a filled view."""
    if kind == TENSOR:
        shape = dims_of(dims, rank)
        if number == _dtypes.STRING:
            return _strings(owner.handle, shape)
        return array_of(owner, data, shape, size, number)
    if kind == SEQUENCE:
        return _sequence_of(owner.handle)
    return _map(owner.handle) if kind == MAP else None


class Type:
    """The declared type of an input or output."""

    def __init__(self, pointer):
        self.kind = lib.type_kind(pointer)
        self.number = lib.type_dtype(pointer)
        self.text = lib.type_text(pointer).decode()
        rank = lib.type_rank(pointer)
        self.rank = rank
        self.shape = [self._dim(pointer, i) for i in range(max(0, rank))]
        element = lib.type_element(pointer)
        self.element = Type(element) if element else None

    @staticmethod
    def _dim(pointer, index):
        size = lib.type_dim(pointer, index)
        if size >= 0:
            return size
        return lib.type_symbol(pointer, index).decode() or None


def _dims(shape):
    return (c_int64 * len(shape))(*shape)


def _text(element):
    if isinstance(element, bytes):
        return element
    return (element if isinstance(element, str) else str(element)).encode("utf-8")


def string_tensor(array):
    """A string tensor of an array of text, bytes (taken as UTF-8) or objects (their str)."""
    elements = [_text(element) for element in array.reshape(-1).tolist()]
    offsets = (c_int64 * (len(elements) + 1))()
    at = 0
    for index, element in enumerate(elements):
        at += len(element)
        offsets[index + 1] = at
    owner = _made(lib.tensor_create, _dtypes.STRING, _dims(array.shape), array.ndim)
    check(lib.tensor_set_strings(owner.handle, c_char_p(b"".join(elements)), offsets))
    return owner


def tensor(array, number=0):
    """A tensor with a copy of the array's elements."""
    number = number or _dtypes.number_of(array.dtype)
    if number == _dtypes.STRING:
        return string_tensor(array)
    if not number:
        raise RuntimeError("numpy type %s has no ONNX element type" % array.dtype)
    owner = _made(lib.tensor_create, number, _dims(array.shape), array.ndim)
    plain = plain_array(array, number)
    if plain.size:
        ctypes.memmove(lib.tensor_data(owner.handle), plain.ctypes.data, plain.nbytes)
    return owner


def plain_array(array, number):
    """Row-major, aligned, of this machine's byte order; 2- and 4-bit types packed."""
    if number in _dtypes.PACKED_BITS and array.dtype.itemsize == 1:
        array = _dtypes.pack(np.ascontiguousarray(array), number)
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])


def _sequence(items, element, name):
    if not isinstance(items, list):
        raise RuntimeError(
            "Iterable of %s should be given as array for input '%s'."
            % (type(items[0]) if items else tuple, name)
        )
    owners = [_item(item, element, name) for item in items]
    handles = (c_void_p * len(owners))(*[owner.handle for owner in owners])
    return _made(lib.sequence_create, handles, len(owners))


def _item(item, element, name):
    if element is not None and element.kind == MAP:
        return _mapping(item, element, name)
    if element is not None and element.kind == SEQUENCE:
        return _sequence(item, element.element, name)
    if not isinstance(item, np.ndarray):
        raise RuntimeError("CreateSequenceOfTensors: Input is not a tensor")
    number = _dtypes.number_of(item.dtype)
    if element is not None and number != element.number:
        raise error(
            InvalidArgument,
            "Unexpected input data type. Actual: (seq(tensor(%s))) , expected: (seq(%s)) for input"
            " '%s'" % (_dtypes.NAMES.get(number, item.dtype), element.text, name),
            "Input.WrongType",
        )
    return tensor(item)


def _mapping(items, declared, name):
    if not isinstance(items, dict):
        raise RuntimeError(
            "Input must be a list of dictionaries or a single numpy array for input '%s'." % name
        )
    string_keys = declared.number == _dtypes.STRING
    keys = np.array(list(items), object if string_keys else np.int64)
    if string_keys and not all(isinstance(key, str) for key in items):
        raise RuntimeError(
            "Unexpected key type %s, it cannot be linked to C type %s for input '%s'."
            % (next(type(key) for key in items if not isinstance(key, str)), declared.text, name)
        )
    of = declared.element.number if declared.element else 1
    owners = []
    for value in items.values():
        if isinstance(value, np.ndarray):
            owners.append(tensor(value))
        else:
            owners.append(
                tensor(np.array(value, object if of == _dtypes.STRING else _dtypes.dtype_of(of)))
            )
    handles = (c_void_p * len(owners))(*[owner.handle for owner in owners])
    keys_owner = tensor(keys.astype(_dtypes.dtype_of(declared.number)) if not string_keys else keys)
    return _made(lib.map_create, keys_owner.handle, handles, len(owners))


def input_array(value, declared, name):
    """The array of a tensor input that is given as something else."""
    if isinstance(value, list):
        array = np.array(value, object if declared.number == _dtypes.STRING else None)
        wanted = _dtypes.dtype_of(declared.number) if declared.number != _dtypes.STRING else None
        if wanted is not None and array.dtype.kind in "biuf" and wanted.kind in "iufcV":
            return array.astype(wanted)
        if array.dtype == object and declared.number != _dtypes.STRING:
            raise RuntimeError("Unable to handle the list given for input '%s'." % name)
        return array
    if isinstance(value, (str, bytes, tuple, dict)):
        raise RuntimeError(
            "Input must be a list of dictionaries or a single numpy array for input '%s'." % name
        )
    convert = getattr(value, "__array__", None)
    if convert is None:
        raise RuntimeError(
            "Unable to handle object of type %s for input '%s'." % (type(value), name)
        )
    return np.asarray(value)


def input_value(value, declared, name):
    """What is fed for an input that is no plain numeric array: an array or an Owner."""
    while declared.kind == OPTIONAL and declared.element is not None:
        if value is None:
            return _made(lib.none_create)
        declared = declared.element
    if declared.kind == SEQUENCE and not isinstance(value, np.ndarray):
        return _sequence(value, declared.element, name)
    if declared.kind == MAP and not isinstance(value, np.ndarray):
        return _mapping(value, declared, name)
    array = value if isinstance(value, np.ndarray) else input_array(value, declared, name)
    return string_tensor(array) if _dtypes.number_of(array.dtype) == _dtypes.STRING else array
