# SPDX-License-Identifier: Apache-2.0
"""The code blocks of the how-to documents, and a small model that fits them."""

import re
import struct
import textwrap

from case import ROOT

FOLDER = ROOT.parent / "shared" / "documents"


def how_tos():
    """`(name, blocks)` of each document that shows the whole flow; nothing without documents."""
    for path in sorted(FOLDER.glob("*.txt")):
        blocks = code_blocks(path.read_text(encoding="utf-8"))
        if find(blocks, "def init"):
            yield path.name, blocks


def code_blocks(text):
    """The fenced blocks, without the indent that they have in a list."""
    found = re.findall(r"^( *)```[a-z]*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(body) for _, body in found]


def find(blocks, mark):
    """The first block with `mark` in it, else None."""
    return next((block for block in blocks if mark in block), None)


def model_bytes(source="inX", result="outY", width=3):
    """An ONNX model, `result = Relu(source)`, of one float row. Source: onnx.proto."""
    node = _text(1, source) + _text(2, result) + _text(4, "Relu")
    graph = (
        _message(1, node)
        + _text(2, "g")
        + _message(11, _value(source, width))
        + _message(12, _value(result, width))
    )
    return (
        _number(1, 4)
        + _text(2, "test")
        + _message(7, graph)
        + _message(8, _text(1, "") + _number(2, 9))
    )


def _value(name, width):
    dims = b"".join(_message(1, _number(1, size)) for size in (1, width))
    tensor = _number(1, 1) + _message(2, dims)
    return _text(1, name) + _message(2, _message(1, tensor))


def _varint(value):
    out = b""
    while value > 0x7F:
        out += struct.pack("B", value & 0x7F | 0x80)
        value >>= 7
    return out + struct.pack("B", value)


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _message(field, content):
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field, value):
    return _message(field, value.encode())
