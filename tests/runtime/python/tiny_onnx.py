# SPDX-License-Identifier: Apache-2.0
"""Serialised ONNX models without the package onnx: what the tests of the Python module need.

Messages are bytes; `field` makes one field of a message, values of repeated fields are joined.
Source: onnx.proto.
"""

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, BFLOAT16 = (
    1,
    2,
    3,
    6,
    7,
    8,
    9,
    10,
    11,
    16,
)


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append((number & 127) | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor_type(dtype, shape):
    """`shape`: sizes, names and None; None altogether where the rank is open."""
    made = field(1, dtype)
    if shape is not None:
        dims = b""
        for dim in shape:
            inside = b"" if dim is None else field(2 if isinstance(dim, str) else 1, dim)
            dims += field(1, inside)
        made += field(2, dims)
    return field(1, made)


def sequence_type(element):
    return field(4, field(1, element))


def optional_type(element):
    return field(9, field(1, element))


def value(name, kind):
    return field(1, name) + field(2, kind)


def tensor(name, dtype, dims, raw):
    return (
        b"".join(field(1, dim) for dim in dims) + field(2, dtype) + field(8, name) + field(9, raw)
    )


def attribute(name, number):
    return field(1, name) + field(3, number) + field(20, 2)


def node(kind, inputs, outputs, attributes=(), domain=""):
    made = b"".join(field(1, name) for name in inputs) + b"".join(
        field(2, name) for name in outputs
    )
    made += field(4, kind) + b"".join(field(5, item) for item in attributes)
    return made + (field(7, domain) if domain else b"")


def model(nodes, inputs, outputs, initializers=(), opset=13, metadata=()):
    graph = b"".join(field(1, item) for item in nodes) + field(2, "tiny")
    graph += b"".join(field(5, item) for item in initializers)
    graph += b"".join(field(11, item) for item in inputs)
    graph += b"".join(field(12, item) for item in outputs)
    made = field(1, 8) + field(2, "tests") + field(4, "org.test") + field(5, 3)
    made += field(6, "a description") + field(7, graph) + field(8, field(2, opset))
    return made + b"".join(field(14, field(1, key) + field(2, text)) for key, text in metadata)


def same(kind, dtype, shape, opset=13):
    """One node from `x` to `y` of one type."""
    port = tensor_type(dtype, shape)
    return model([node(kind, ["x"], ["y"])], [value("x", port)], [value("y", port)], opset=opset)


def add():
    """z = x + y over float[N, 2] and float[1, 2]."""
    return model(
        [node("Add", ["x", "y"], ["z"])],
        [value("x", tensor_type(FLOAT, ["N", 2])), value("y", tensor_type(FLOAT, [1, 2]))],
        [value("z", tensor_type(FLOAT, ["N", 2]))],
        metadata=[("stage", "test"), ("überschrift", "ja")],
    )
