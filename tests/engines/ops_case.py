# SPDX-License-Identifier: Apache-2.0
"""What a case of one operator is, for the tests that run it in two runtimes."""

import zlib
from dataclasses import dataclass, field
from typing import Any, Dict, List

import numpy as np
import onnx
from onnx import helper as h


@dataclass
class Case:
    """One node, its inputs, and how near the outputs must be."""

    name: str
    model: bytes
    feeds: Dict[str, Any]
    rtol: float = 1e-4
    atol: float = 1e-5
    steps: int = 0  # by how much integers may differ: one step of rounding
    compared: List[int] = field(default_factory=list)  # outputs; all where empty
    instead: str = ""  # the case whose answers are the reference, where this one is refused
    expected: List[Any] = field(default_factory=list)  # the reference, where there is no other
    judged: bool = False  # `expected` is the reference, whatever ONNX Runtime answers
    peer_atol: float = 0  # how near ONNX Runtime must be to it all the same; 0: no matter


def random_of(name: str) -> np.random.Generator:
    """Numbers that depend on the name alone."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def array_type(value: np.ndarray) -> int:
    if value.dtype == object:
        return onnx.TensorProto.STRING
    return h.np_dtype_to_tensor_dtype(value.dtype)


def model_of(
    op: str,
    inputs: Dict[str, Any],
    outputs: int,
    domain: str,
    version: int = 1,
    constants: tuple = (),
    types: Dict[str, onnx.TypeProto] = None,
    **attributes: Any,
) -> bytes:
    """A model of one node; an input that is None is left out, and `constants` are initialisers."""
    names = [name if value is not None else "" for name, value in inputs.items()]
    results = ["out%d" % i for i in range(outputs)]
    node = h.make_node(op, names, results, domain=domain, **attributes)
    given = []
    for name, value in inputs.items():
        if value is None or name in constants:
            continue
        if types and name in types:
            given.append(onnx.ValueInfoProto(name=name, type=types[name]))
        else:
            given.append(h.make_tensor_value_info(name, array_type(value), list(value.shape)))
    graph = h.make_graph(
        [node],
        "g",
        given,
        [onnx.ValueInfoProto(name=name) for name in results],
        [onnx.numpy_helper.from_array(inputs[name], name) for name in constants],
    )
    opsets = [h.make_opsetid(domain, version)]
    if domain:
        opsets.append(h.make_opsetid("", 17))
    return h.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def case_of(
    name: str,
    op: str,
    inputs: Dict[str, Any],
    outputs: int = 1,
    domain: str = "com.microsoft",
    version: int = 1,
    constants: tuple = (),
    types: Dict[str, onnx.TypeProto] = None,
    attributes: Dict[str, Any] = None,
    **near: Any,
) -> Case:
    model = model_of(op, inputs, outputs, domain, version, constants, types, **(attributes or {}))
    feeds = {k: v for k, v in inputs.items() if v is not None and k not in constants}
    return Case(name, model, feeds, **near)
