# SPDX-License-Identifier: Apache-2.0
"""A model in double precision: what the answers in single precision are held against."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, TypeProto, defs, helper, numpy_helper

SINGLE, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
NARROW = (SINGLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
TYPE_ATTRIBUTES = ("to", "dtype", "output_datatype")


def in_double(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with every float32, float16 and bfloat16 value as float64, its inputs and outputs too.

    Where the standard gives an operator no float64, or knows no such operator, casts to float32
    stand around it.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    if all(entry.domain for entry in model.opset_import):
        changed.opset_import.append(helper.make_opsetid("", 13))  # for the casts
    Widening(changed, onnx.shape_inference.infer_shapes(model)).graph(changed.graph)
    for value in [*changed.graph.input, *changed.graph.output]:
        widen_type(value.type)
    return changed


def graphs_of(node: NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


class Widening:
    """Makes the nodes of one model work on float64; `typed` is the model with inferred types."""

    def __init__(self, model: onnx.ModelProto, typed: onnx.ModelProto) -> None:
        self.versions = {entry.domain: entry.version for entry in model.opset_import}
        self.narrow: set[str] = set()  # names of the tensors of floats
        self.known: set[str] = set()  # names of which a type is known
        self.casts = 0
        self.look(typed.graph)

    def look(self, graph: onnx.GraphProto) -> None:
        """Takes down the types of `graph` and of those within."""
        for tensor in graph.initializer:
            self.note(tensor.name, tensor.data_type in NARROW)
        for value in [*graph.input, *graph.output, *graph.value_info]:
            if value.type.WhichOneof("value"):
                self.note(value.name, value.type.tensor_type.elem_type in NARROW)
        for node in graph.node:
            for inner in graphs_of(node):
                self.look(inner)
            for slot, name in enumerate(node.output):
                if name not in self.known:
                    self.note(name, self.gives_narrow(node, slot))

    def note(self, name: str, narrow: bool) -> None:
        self.known.add(name)
        if narrow:
            self.narrow.add(name)

    def gives_narrow(self, node: NodeProto, slot: int) -> bool:
        """What the inference of types leaves open: operators of other domains than the first."""
        schema = self.schema(node)
        if schema is None:
            return any(name in self.narrow for name in node.input)
        given = formal(schema.outputs, slot)
        for at, name in enumerate(node.input):
            if formal(schema.inputs, at).type_str == given.type_str:
                return name in self.narrow
        return set(given.types) <= {"tensor(float)", "tensor(float16)", "tensor(bfloat16)"}

    def graph(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            widen_tensor(tensor)
        del graph.value_info[:]
        nodes: list[NodeProto] = []
        for node in graph.node:
            for inner in graphs_of(node):
                self.graph(inner)
                for value in [*inner.input, *inner.output]:
                    widen_type(value.type)
            nodes += self.node(node)
        del graph.node[:]
        graph.node.extend(nodes)

    def node(self, node: NodeProto) -> list[NodeProto]:
        """`node` on float64, between the casts that it needs."""
        schema = self.schema(node)
        before = [self.cast(node.input, slot, SINGLE) for slot, name in enumerate(node.input)
                  if name in self.narrow and not admits_double(schema, "inputs", slot)]
        after = [self.cast(node.output, slot, DOUBLE) for slot, name in enumerate(node.output)
                 if name in self.narrow and not admits_double(schema, "outputs", slot)]
        if schema is not None:
            for attribute in node.attribute:
                widen_attribute(node, attribute)
        return [*before, node, *after]

    def schema(self, node: NodeProto) -> defs.OpSchema | None:
        if node.domain not in self.versions or not defs.has(node.op_type, node.domain):
            return None
        return defs.get_schema(node.op_type, self.versions[node.domain], node.domain)

    def cast(self, names: list[str], slot: int, to: int) -> NodeProto:
        """A cast of what stands at `slot`, which it renames, on the side where `to` asks it."""
        outer, inner = names[slot], f"{names[slot]}/single{self.casts}"
        self.casts += 1
        names[slot] = inner
        ends = ([outer], [inner]) if to == SINGLE else ([inner], [outer])
        return helper.make_node("Cast", *ends, to=to)


def formal(parameters: list[defs.OpSchema.FormalParameter],
           slot: int) -> defs.OpSchema.FormalParameter:
    return parameters[min(slot, len(parameters) - 1)]


def admits_double(schema: defs.OpSchema | None, side: str, slot: int) -> bool:
    if schema is None:
        return False
    kinds = formal(getattr(schema, side), slot).types
    return any(kind in ("tensor(double)", "seq(tensor(double))", "optional(tensor(double))")
               for kind in kinds)


def widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in NARROW:
        wide = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))


def widen_type(kind: TypeProto) -> None:
    if kind.tensor_type.elem_type in NARROW:
        kind.tensor_type.elem_type = DOUBLE
    for field in ("sequence_type", "optional_type"):
        if kind.HasField(field):
            widen_type(getattr(kind, field).elem_type)


def widen_attribute(node: NodeProto, attribute: AttributeProto) -> None:
    if attribute.type == AttributeProto.TENSOR:
        widen_tensor(attribute.t)
    elif attribute.name in TYPE_ATTRIBUTES and attribute.i in NARROW:
        attribute.i = DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        many = attribute.name == "value_floats"
        value = np.array(attribute.floats if many else attribute.f, np.float64)
        attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(value)))
