#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small models of this folder. Needs `onnx` and `numpy` from PyPI.

    python3 make.py [FOLDER]
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
RNG = np.random.default_rng(7)


def weights(name, *shape, dtype=np.float32):
    return nh.from_array(RNG.normal(0, 0.5, shape).astype(dtype), name)


def ints(name, *values):
    return nh.from_array(np.array(values, np.int64), name)


def tensor(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def save(name, nodes, inputs, outputs, initializers=(), opset=17, ir=8, functions=(), opsets=None,
         sparse=()):
    graph = h.make_graph(nodes, name, inputs, outputs, initializers, sparse_initializer=sparse)
    imports = opsets or [h.make_opsetid("", opset)]
    model = h.make_model(graph, opset_imports=imports, functions=functions, ir_version=ir,
                         producer_name="make.py")
    write(name, model)
    return model


def write(name, model):
    with open(os.path.join(FOLDER, name + ".onnx"), "wb") as file:
        file.write(model if isinstance(model, bytes) else model.SerializeToString())


def batch_norm(prefix, channels):
    variance = nh.from_array(RNG.uniform(0.5, 2, channels).astype(np.float32), prefix + "_var")
    return [weights(prefix + "_scale", channels), weights(prefix + "_bias", channels),
            weights(prefix + "_mean", channels), variance]


def residual():
    """Conv, BatchNormalization, activations of all kinds, a residual sum, a channel bias."""
    nodes = [
        h.make_node("Conv", ["x", "w0"], ["c0"], pads=[1, 1, 1, 1]),
        h.make_node("BatchNormalization", ["c0", "n_scale", "n_bias", "n_mean", "n_var"], ["b0"]),
        h.make_node("Relu", ["b0"], ["r0"]),
        h.make_node("Conv", ["r0", "w1", "bias1"], ["c1"], pads=[1, 1, 1, 1]),
        h.make_node("Add", ["c1", "r0"], ["s1"]),
        h.make_node("Clip", ["s1", "low", "high"], ["k1"]),
        h.make_node("Conv", ["k1", "w2"], ["c2"], group=2),
        h.make_node("Add", ["c2", "channel"], ["s2"]),
        h.make_node("LeakyRelu", ["s2"], ["l2"], alpha=0.2),
        h.make_node("Identity", ["l2"], ["i2"]),
        h.make_node("Dropout", ["i2"], ["d2"]),
        h.make_node("Conv", ["d2", "w3", "bias1"], ["c3"], strides=[2, 2]),
        h.make_node("Sigmoid", ["c3"], ["y"]),
        h.make_node("Tanh", ["c3"], ["z"]),
    ]
    return save("residual", nodes, [tensor("x", ["n", 3, "h", "w"])],
                [tensor("y", ["n", 4, None, None]), tensor("z", None)],
                [weights("w0", 4, 3, 3, 3), weights("w1", 4, 4, 3, 3), weights("bias1", 4),
                 weights("w2", 4, 2, 1, 1), weights("w3", 4, 4, 1, 1),
                 nh.from_array(np.float32(-0.5), "low"), nh.from_array(np.float32(0.75), "high"),
                 weights("channel", 1, 4, 1, 1)] + batch_norm("n", 4))


def broadcast_add():
    """Sums after a Conv that are no residual: of other shapes, or used twice."""
    nodes = [h.make_node("Conv", ["x", "w"], ["c"]),
             h.make_node("Add", ["c", "e"], ["s"]),
             h.make_node("Conv", ["x", "w"], ["d"]),
             h.make_node("Add", ["d", "d"], ["t"]),
             h.make_node("Add", ["s", "t"], ["y"])]
    save("broadcast_add", nodes, [tensor("x", ["n", 2, "h", "w"]), tensor("e", ["n", 3, 1, 1])],
         [tensor("y", None)], [weights("w", 3, 2, 1, 1)])


def control_flow():
    then = h.make_graph([h.make_node("Mul", ["x", "scale"], ["then_y"])], "then", [],
                        [tensor("then_y", None)])
    other = h.make_graph([h.make_node("Add", ["x", "x"], ["else_y"])], "else", [],
                         [tensor("else_y", None)])
    save("if", [h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
         [tensor("c", [], T.BOOL), tensor("x", ["n"])], [tensor("y", ["n"])],
         [weights("scale", 1)])

    body = h.make_graph(
        [h.make_node("Add", ["sum_in", "x"], ["sum_out"]),
         h.make_node("Cast", ["i"], ["i_float"], to=T.FLOAT),
         h.make_node("Mul", ["sum_out", "i_float"], ["scan"]),
         h.make_node("Identity", ["go_on"], ["go_on_out"])],
        "body", [tensor("i", [], T.INT64), tensor("go_on", [], T.BOOL), tensor("sum_in", ["n"])],
        [tensor("go_on_out", [], T.BOOL), tensor("sum_out", ["n"]), tensor("scan", ["n"])])
    save("loop", [h.make_node("Loop", ["m", "", "start"], ["total", "all"], body=body)],
         [tensor("m", [], T.INT64), tensor("start", ["n"]), tensor("x", ["n"])],
         [tensor("total", ["n"]), tensor("all", [None, "n"])])

    grow = h.make_graph(
        [h.make_node("Concat", ["list_in", "x"], ["list_out"], axis=0),
         h.make_node("Shape", ["list_out"], ["shape"]),
         h.make_node("ReduceSum", ["list_out"], ["s"], keepdims=0),
         h.make_node("Less", ["s", "limit"], ["more"])],
        "grow", [tensor("i", [], T.INT64), tensor("go", [], T.BOOL), tensor("list_in", [None])],
        [tensor("more", [], T.BOOL), tensor("list_out", [None])])
    save("grow", [h.make_node("Loop", ["", "yes", "x"], ["y"], body=grow)], [tensor("x", ["n"])],
         [tensor("y", [None])],
         [nh.from_array(np.array(True), "yes"), nh.from_array(np.float32(20), "limit")])

    step = h.make_graph(
        [h.make_node("Add", ["state", "item"], ["state_out"]),
         h.make_node("Mul", ["item", "item"], ["square"])],
        "step", [tensor("state", [2]), tensor("item", [2])],
        [tensor("state_out", [2]), tensor("square", [2])])
    save("scan", [h.make_node("Scan", ["start", "x"], ["sum", "squares"], body=step,
                              num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1],
                              scan_input_directions=[1])],
         [tensor("start", [2]), tensor("x", [2, "t"])],
         [tensor("sum", [2]), tensor("squares", [2, "t"])])

    inner = h.make_graph([h.make_node("Add", ["a", "b"], ["in_y"])], "inner", [],
                         [tensor("in_y", None)])
    deep = h.make_graph(
        [h.make_node("Mul", ["x", "x"], ["a"]),
         h.make_node("If", ["c"], ["mid_y"], then_branch=inner, else_branch=inner)],
        "outer", [], [tensor("mid_y", None)])
    save("nested", [h.make_node("Add", ["x", "one"], ["b"]),
                    h.make_node("If", ["c"], ["y"], then_branch=deep, else_branch=deep)],
         [tensor("c", [], T.BOOL), tensor("x", ["n"])], [tensor("y", ["n"])],
         [nh.from_array(np.float32(1), "one")])


def functions():
    scaled = h.make_function(
        "local", "Scaled", ["x"], ["y"],
        [h.make_node("Constant", [], ["k"]), h.make_node("Mul", ["x", "k"], ["y"])],
        [h.make_opsetid("", 17)], ["factor"])
    attribute = onnx.AttributeProto(name="value_float", ref_attr_name="factor",
                                    type=onnx.AttributeProto.FLOAT)
    scaled.node[0].attribute.append(attribute)
    twice = h.make_function(
        "local", "Twice", ["a", "b"], ["y"],
        [h.make_node("Scaled", ["a"], ["t"], domain="local", factor=2.0),
         h.make_node("Scaled", ["t"], ["u"], domain="local", factor=0.25),
         h.make_node("Add", ["u", "b"], ["y"])],
        [h.make_opsetid("", 17), h.make_opsetid("local", 1)])
    imports = [h.make_opsetid("", 17), h.make_opsetid("local", 1)]
    save("functions", [h.make_node("Twice", ["x", "x"], ["t"], domain="local"),
                       h.make_node("Twice", ["t", "x"], ["y"], domain="local")],
         [tensor("x", ["n"])], [tensor("y", ["n"])], functions=[scaled, twice], opsets=imports)
    loop = h.make_function("local", "Round", ["x"], ["y"],
                           [h.make_node("Round", ["x"], ["y"], domain="local")],
                           [h.make_opsetid("local", 1)])
    save("bad_recursion", [h.make_node("Round", ["x"], ["y"], domain="local")],
         [tensor("x", ["n"])], [tensor("y", ["n"])], functions=[loop], opsets=imports)


def dynamic():
    """Shapes that depend on data, a reshape by a fed shape, then a known part."""
    nodes = [h.make_node("Reshape", ["x", "shape"], ["r"]),
             h.make_node("Relu", ["r"], ["p"]),
             h.make_node("Shape", ["p"], ["s"]),
             h.make_node("ReduceSum", ["x"], ["t"], keepdims=0),
             h.make_node("Add", ["p", "t"], ["y"])]
    save("dynamic", nodes, [tensor("x", ["n"]), tensor("shape", ["r"], T.INT64)],
         [tensor("y", None), tensor("s", None, T.INT64)])
    fold = [h.make_node("Shape", ["x"], ["s"]), h.make_node("Gather", ["s", "zero"], ["n"]),
            h.make_node("Unsqueeze", ["n", "first"], ["n1"]),
            h.make_node("Concat", ["n1", "rest"], ["to"], axis=0),
            h.make_node("Reshape", ["x", "to"], ["y"])]
    save("shape_subgraph", fold, [tensor("x", ["n", 2, 3])], [tensor("y", ["n", 6])],
         [ints("rest", -1), ints("first", 0), nh.from_array(np.int64(0), "zero")], opset=17)


def encodings():
    """Initialisers in every way that TensorProto has of writing them, given out as they are."""
    def typed(name, dtype, values, dims=None):
        proto = T(name=name, data_type=dtype, dims=[len(values)] if dims is None else dims)
        if dtype in (T.FLOAT, T.COMPLEX64):
            proto.float_data.extend(values)
        elif dtype in (T.DOUBLE, T.COMPLEX128):
            proto.double_data.extend(values)
        elif dtype == T.INT64:
            proto.int64_data.extend(values)
        elif dtype in (T.UINT32, T.UINT64):
            proto.uint64_data.extend(values)
        elif dtype == T.STRING:
            proto.string_data.extend(values)
        else:
            proto.int32_data.extend(values)
        return proto

    tensors = [
        typed("float", T.FLOAT, [1.5, -2]), typed("double", T.DOUBLE, [1.5, -2]),
        typed("int8", T.INT8, [-1, 127]), typed("uint8", T.UINT8, [255, 0]),
        typed("int16", T.INT16, [-3, 3]), typed("uint16", T.UINT16, [65535]),
        typed("int32", T.INT32, [-5]), typed("uint32", T.UINT32, [4294967295]),
        typed("int64", T.INT64, [-7]), typed("uint64", T.UINT64, [18446744073709551615]),
        typed("bool", T.BOOL, [1, 0, 7]), typed("float16", T.FLOAT16, [15872, 49152]),
        typed("bfloat16", T.BFLOAT16, [16320]), typed("string", T.STRING, [b"a", b"", b"\xc3\xa4"]),
        typed("complex64", T.COMPLEX64, [1, 2, 3, 4], [2]),
        typed("complex128", T.COMPLEX128, [1, 2], [1]),
        typed("int4", T.INT4, [0x1F, 0x07], [3]), typed("uint4", T.UINT4, [0xF1], [2]),
        typed("empty", T.FLOAT, [], [0, 3]), typed("scalar", T.FLOAT, [4], []),
        T(name="raw", data_type=T.FLOAT, dims=[2], raw_data=np.float32([1.5, -2]).tobytes()),
        T(name="raw64", data_type=T.INT64, dims=[3], raw_data=np.int64([1, -2, 3]).tobytes()),
        T(name="rawbool", data_type=T.BOOL, dims=[2], raw_data=b"\x02\x00"),
    ]
    outputs = [tensor(t.name, list(t.dims), t.data_type) for t in tensors]
    dense = h.make_sparse_tensor(nh.from_array(np.float32([5, 6]), "sparse"), ints("", 1, 4), [2, 3])
    sparse = tensor("sparse", [2, 3])
    save("encodings", [], [], outputs + [sparse], tensors, opset=21, ir=10, sparse=[dense])


def external():
    proto = T(name="w", data_type=T.FLOAT, dims=[4])
    data = np.arange(8, dtype=np.float32).tobytes()
    with open(os.path.join(FOLDER, "external.bin"), "wb") as file:
        file.write(data)

    def variant(name, **entries):
        proto.data_location = T.EXTERNAL
        del proto.external_data[:]
        for key, value in entries.items():
            proto.external_data.add(key=key, value=str(value))
        save(name, [h.make_node("Add", ["x", "w"], ["y"])], [tensor("x", [4])],
             [tensor("y", [4])], [proto])

    variant("external", location="external.bin", offset=16, length=16)
    variant("bad_external_parent", location="../external.bin")
    variant("bad_external_absolute", location="/etc/hostname")
    variant("bad_external_missing", location="nothing.bin")
    variant("bad_external_short", location="external.bin", offset=24, length=16)
    variant("bad_external_length", location="external.bin", offset=0, length=12)


def small():
    save("add", [h.make_node("Add", ["x", "w"], ["y"], name="sum")], [tensor("x", ["n", 2])],
         [tensor("y", ["n", 2])], [weights("w", 2)])
    w = weights("w", 2)
    save("overridable", [h.make_node("Add", ["x", "w"], ["y"])],
         [tensor("x", ["n", 2]), tensor("w", [2])], [tensor("y", ["n", 2])], [w])
    save("ir3", [h.make_node("Add", ["x", "w"], ["y"])],
         [tensor("x", ["n", 2]), tensor("w", [2])], [tensor("y", ["n", 2])], [w], opset=7, ir=3)
    save("pass_through", [h.make_node("Relu", ["x"], ["r"]), h.make_node("Identity", ["r"], ["s"])],
         [tensor("x", ["n"])],
         [tensor("x", ["n"]), tensor("r", ["n"]), tensor("s", ["n"]), tensor("w", [2])], [w])
    save("strings", [h.make_node("Identity", ["x"], ["i"]),
                     h.make_node("Concat", ["i", "w"], ["y"], axis=0)],
         [tensor("x", ["n"], T.STRING)], [tensor("y", None, T.STRING)],
         [nh.from_array(np.array(["tail"], object), "w")])
    save("wrong_declared", [h.make_node("Relu", ["x"], ["y"])], [tensor("x", ["n"])],
         [tensor("y", [3, 3])])
    save("picture", [h.make_node("ImageDecoder", ["file"], ["pixels"])],
         [tensor("file", ["n"], T.UINT8)], [tensor("pixels", ["h", "w", 3], T.UINT8)], opset=20, ir=9)


def bad():
    x, y = tensor("x", ["n"]), tensor("y", ["n"])
    relu = h.make_node("Relu", ["x"], ["y"], name="act")
    save("bad_unsorted", [h.make_node("Relu", ["t"], ["y"], name="late"),
                          h.make_node("Relu", ["x"], ["t"], name="early")], [x], [y])
    save("bad_cycle", [h.make_node("Add", ["x", "u"], ["t"], name="a"),
                       h.make_node("Relu", ["t"], ["u"], name="b"),
                       h.make_node("Relu", ["u"], ["y"])], [x], [y])
    save("bad_undefined", [h.make_node("Add", ["x", "nowhere"], ["y"], name="sum")], [x], [y])
    save("bad_duplicate", [relu, h.make_node("Relu", ["x"], ["y"], name="again")], [x], [y])
    save("bad_output", [relu], [x], [tensor("z", ["n"])])
    save("bad_operator", [h.make_node("Rellu", ["x"], ["y"], name="typo")], [x], [y])
    save("bad_domain", [h.make_node("Relu", ["x"], ["y"], domain="no.such")], [x], [y])
    save("bad_attribute", [h.make_node("Relu", ["x"], ["y"], name="act", slope=1.0)], [x], [y])
    save("bad_attribute_type", [h.make_node("Softmax", ["x"], ["y"], name="soft", axis=1.0)], [x],
         [y])
    save("bad_attribute_missing", [h.make_node("Cast", ["x"], ["y"], name="cast")], [x], [y])
    save("bad_arity", [h.make_node("Relu", ["x", "x"], ["y"], name="act")], [x], [y])
    save("bad_type", [h.make_node("And", ["x", "x"], ["y"], name="and")], [x],
         [tensor("y", ["n"], T.BOOL)])
    save("bad_opset", [relu], [x], [y], opset=99)
    model = save("bad_no_opset", [relu], [x], [y])
    del model.opset_import[:]
    write("bad_no_opset", model)
    model.graph.ClearField("node")
    model.ClearField("graph")
    write("bad_no_graph", model)

    def tensor_model(name, **fields):
        proto = T(name="w", **fields)
        save(name, [h.make_node("Add", ["x", "w"], ["y"])], [x], [y], [proto])

    tensor_model("bad_raw_size", data_type=T.FLOAT, dims=[3], raw_data=b"1234567")
    tensor_model("bad_dims", data_type=T.FLOAT, dims=[1 << 40, 1 << 40], raw_data=b"1234")
    tensor_model("bad_negative_dim", data_type=T.FLOAT, dims=[-4], raw_data=b"1234")
    tensor_model("bad_dtype", data_type=77, dims=[1], raw_data=b"1234")
    tensor_model("bad_count", data_type=T.FLOAT, dims=[1 << 33], float_data=[1.0])
    write("bad_depth", deep_model(80))


def learned():
    """Operators of ai.onnx.ml whose values are maps, and sequences of them."""
    opsets = [h.make_opsetid("", 17), h.make_opsetid("ai.onnx.ml", 3)]
    classify = h.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml",
                           coefficients=[1.0, 0.0, 0.0, 1.0], intercepts=[0.0, 0.5],
                           classlabels_strings=["tea", "coffee"])
    zipped = h.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml",
                         classlabels_strings=["tea", "coffee"])
    of_text = h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, []))
    maps = h.make_value_info("maps", h.make_sequence_type_proto(of_text))
    save("zip_map", [classify, zipped], [tensor("x", ["n", 2])],
         [tensor("label", ["n"], T.STRING), maps], opsets=opsets)
    vectorize = h.make_node("DictVectorizer", ["d"], ["v"], domain="ai.onnx.ml",
                            string_vocabulary=["a", "b", "c"])
    scale = h.make_node("Scaler", ["v"], ["y"], domain="ai.onnx.ml", offset=[1.0], scale=[2.0])
    save("dictionary", [vectorize, scale], [h.make_value_info("d", of_text)],
         [tensor("y", [1, 3])], opsets=opsets)


def sparse_values():
    """A sparse constant and a sparse initializer, the one by coordinates, the other by offsets."""
    def sparse(name, values, places, at):
        return h.make_sparse_tensor(nh.from_array(np.array(values, np.float32), name),
                                    nh.from_array(np.array(places, np.int64), name + at), [2, 3])

    constant = h.make_node("Constant", [], ["c"],
                           sparse_value=sparse("", [1.0, 2.0], [[0, 1], [1, 2]], ""))
    save("sparse", [constant, h.make_node("Add", ["c", "w"], ["s"]),
                    h.make_node("Add", ["s", "x"], ["y"])], [tensor("x", [2, 3])],
         [tensor("y", [2, 3])], sparse=[sparse("w", [10.0, 20.0], [0, 5], "_places")])


def field(number, payload):
    """A field of a serialised message; protobuf's own limits on nesting do not apply."""
    size, varint = len(payload), b""
    while size >= 0x80:
        varint += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + varint + bytes([size]) + payload


def deep_model(levels):
    graph = b""
    for _ in range(levels):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(5, attribute))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def training():
    """A loss and its derivatives, and a derivative of one of them."""
    def gradient(inputs, outputs, y, zs=()):
        return h.make_node("Gradient", inputs, outputs, domain="ai.onnx.preview.training",
                           xs=inputs[:len(inputs) - len(zs)], y=y, **({"zs": zs} if zs else {}))

    nodes = [
        h.make_node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        h.make_node("Flatten", ["p"], ["f"]),
        h.make_node("MatMul", ["f", "w"], ["m"]),
        h.make_node("Add", ["m", "b"], ["s"]),
        h.make_node("Relu", ["s"], ["r"]),
        h.make_node("Slice", ["r", "zero", "three", "one"], ["c"]),
        h.make_node("SoftmaxCrossEntropyLoss", ["c", "label"], ["loss"]),
        gradient(["w", "b", "x", "label"], ["dw", "db", "dx"], "loss", ["label"]),
        gradient(["w", "b"], ["ddw"], "db"),
    ]
    save("gradient", nodes, [tensor("x", ["n", 1, 4, 4]), tensor("label", ["n"], T.INT64)],
         [tensor(name, None) for name in ("loss", "dw", "db", "dx", "ddw")],
         [weights("w", 4, 5), weights("b", 5), ints("zero", 0), ints("one", 1), ints("three", 3)],
         opsets=[h.make_opsetid("", 17), h.make_opsetid("ai.onnx.preview.training", 1)])


def experimental():
    """Operators that ai.onnx had until opset 9."""
    nodes = [
        h.make_node("ImageScaler", ["x"], ["i"], bias=[1.0, -1.0], scale=0.5),
        h.make_node("Crop", ["i"], ["c"], border=[1, 0, 0, 1]),
        h.make_node("ParametricSoftplus", ["c"], ["p"], alpha=0.5, beta=2.0),
        h.make_node("ThresholdedRelu", ["p"], ["t"], alpha=0.7),
        h.make_node("MeanVarianceNormalization", ["t"], ["m"]),
        h.make_node("Shape", ["m"], ["shape"]),
        h.make_node("ConstantFill", ["shape"], ["fill"], input_as_shape=1, value=1.5),
        h.make_node("Add", ["m", "fill"], ["a"]),
        h.make_node("DynamicSlice", ["a", "zero", "one", "one"], ["y"]),
    ]
    save("experimental", nodes, [tensor("x", ["n", 2, 4, 5])], [tensor("y", None)],
         [ints("zero", 0), ints("one", 1)], opset=7)


def quantised():
    """Weights of eight and four bits under the domain com.microsoft."""
    def bytes_of(name, *shape):
        return nh.from_array(RNG.integers(0, 256, shape).astype(np.uint8), name)

    nodes = [
        h.make_node("GatherBlockQuantized", ["table", "i", "scales"], ["e"],
                    domain="com.microsoft", block_size=16),
        h.make_node("DynamicQuantizeLSTM",
                    ["e", "w", "r", "", "", "", "", "", "step", "zero", "step", "zero"], ["y"],
                    domain="com.microsoft", hidden_size=3),
    ]
    save("quantised", nodes, [tensor("i", ["t", "n"], T.INT64)], [tensor("y", None)],
         [bytes_of("table", 5, 16), bytes_of("w", 1, 32, 12), bytes_of("r", 1, 3, 12),
          nh.from_array(np.full((5, 2), 0.1, np.float32), "scales"),
          nh.from_array(np.full(1, 0.01, np.float32), "step"),
          nh.from_array(np.full(1, 128, np.uint8), "zero")],
         opsets=[h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)])


for make in (residual, broadcast_add, control_flow, functions, dynamic, encodings, external, small,
             bad, learned, sparse_values, training, experimental, quantised):
    make()
