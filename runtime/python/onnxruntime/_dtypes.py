# SPDX-License-Identifier: Apache-2.0
"""Element types: their numbers in TensorProto.DataType, in numpy, and in the text of types."""

import numpy as np

STRING = 8
NAMES = {
    1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "double", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1",
    24: "float8e8m0", 25: "uint2", 26: "int2", 27: "float6e2m3", 28: "float6e3m2",
}  # fmt: skip
_NUMPY = {
    1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8",
    12: "u4", 13: "u8", 14: "c8", 15: "c16",
}  # fmt: skip
# Types that numpy has only with the package ml_dtypes; else the integers of their size stand in.
_EXTENDED = {
    16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2",
    20: "float8_e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4_e2m1fn", 24: "float8_e8m0fnu",
    25: "uint2", 26: "int2", 27: "float6_e2m3fn", 28: "float6_e3m2fn",
}  # fmt: skip
_STAND_IN = {16: "u2", 22: "i1", 26: "i1"}

PACKED_BITS = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2}
SIGNED_PACKED = (22, 26)

DTYPES = {number: np.dtype(text) for number, text in _NUMPY.items()}
NUMBERS = {dtype: number for number, dtype in DTYPES.items()}
# Two C types may be of one size.
for _char in "bBhHiIlLqQ":
    NUMBERS[np.dtype(_char)] = NUMBERS[
        np.dtype("%s%d" % (np.dtype(_char).kind, np.dtype(_char).itemsize))
    ]


def dtype_of(number):
    """The numpy type of an element type that is no string."""
    known = DTYPES.get(number)
    if known is not None:
        return known
    try:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, _EXTENDED[number]))
    except (ImportError, AttributeError):
        return np.dtype(_STAND_IN.get(number, "u1"))


def number_of(dtype):
    """The element type of a numpy type; 0 if it has none."""
    known = NUMBERS.get(dtype) or NUMBERS.get(dtype.newbyteorder("="))
    if known:
        return known
    if dtype.kind in "OUS" or dtype.kind == "T":
        return STRING
    for number, name in _EXTENDED.items():
        if dtype.name == name:
            return number
    return 0


def pack(array, number):
    """2- and 4-bit elements, given one a byte, packed as the library wants them: first one lowest."""
    bits = PACKED_BITS[number]
    each = 8 // bits
    flat = array.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    padded = np.zeros(-(-flat.size // each) * each, np.uint8)
    padded[: flat.size] = flat
    packed = np.zeros(padded.size // each, np.uint8)
    for place in range(each):
        packed |= padded[place::each] << np.uint8(place * bits)
    return packed


def unpack(packed, number, shape):
    """The reverse of `pack`."""
    bits = PACKED_BITS[number]
    each = 8 // bits
    flat = np.empty(packed.size * each, np.uint8)
    for place in range(each):
        flat[place::each] = (packed >> np.uint8(place * bits)) & np.uint8((1 << bits) - 1)
    flat = flat[: int(np.prod(shape, dtype=np.int64))]
    dtype = dtype_of(number)
    if number in SIGNED_PACKED:
        flat = flat.view(np.int8)
        flat = np.where(flat >= 1 << (bits - 1), flat - (1 << bits), flat).astype(np.int8)
        return flat.astype(dtype).reshape(shape)
    if number == 23 or dtype.itemsize != 1:
        return flat.view(dtype).reshape(shape)
    return flat.astype(dtype).reshape(shape)
