#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models of one operator each, of the sizes that networks have, for compare.py:

    build/compare-venv/bin/python tests/bench/operators.py FOLDER
    python3 tests/bench/compare.py build --models full --full FOLDER --engines slipway onnxruntime

Needs numpy and onnx. Indices, weights and other parameters are initialisers.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18
RANDOM = np.random.default_rng(0)

Model = tuple[str, onnx.ModelProto]


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(most: int, *shape: int, dtype: type = np.int64) -> np.ndarray:
    return RANDOM.integers(0, most, shape).astype(dtype)


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def one(name: str, op: str, inputs: list[tuple[type, tuple[int, ...]] | np.ndarray],
        outputs: int = 1, opset: int = OPSET, **attributes: Any) -> Model:
    """A model of that node: an array is an initialiser, a type and shape an input."""
    names = [f"x{i}" for i in range(len(inputs))]
    given, constants = [], []
    for value, label in zip(inputs, names):
        if isinstance(value, np.ndarray):
            constants.append(numpy_helper.from_array(value, label))
        else:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(value[0]))
            given.append(helper.make_tensor_value_info(label, kind, value[1]))
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, made, **attributes)
    graph = helper.make_graph([node], name, given, [onnx.ValueInfoProto(name=y) for y in made],
                              constants)
    return name, helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                   ir_version=9)


def real(*shape: int) -> tuple[type, tuple[int, ...]]:
    return np.float32, shape


def label(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def elementwise() -> Iterator[Model]:
    long = 200_000
    for op in ("Abs Ceil Celu Cos Elu Erf Exp Floor HardSigmoid HardSwish LeakyRelu Log Mish Neg "
               "Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh").split():
        yield one(op, op, [real(long)])
    for op in "Add Div Equal Greater Max Min Mul Pow Sub".split():
        yield one(op, op, [real(long), real(long)])
    yield one("Add_channels", "Add", [real(8, 64, 56, 28), real(1, 64, 1, 1)])
    yield one("Mul_last", "Mul", [real(8, 128, 256), real(256)])
    for exponent in (-0.5, 0.5, 1.7, 2, 3):
        yield one(f"Pow_{exponent}", "Pow", [real(long), np.array(exponent, np.float32)])
    kinds = [np.float32, np.float16, np.float64, np.int32, np.int64, np.uint8, np.bool_]
    for to in kinds[1:]:
        target = helper.np_dtype_to_tensor_dtype(np.dtype(to))
        yield one(f"Cast_to_{to.__name__}", "Cast", [real(long)], to=target)
        yield one(f"Cast_from_{to.__name__}", "Cast", [(to, (long,))], to=onnx.TensorProto.FLOAT)


    yield one("Mod_int64", "Mod", [(np.int64, (long,)), (np.int64, (long,))])
    yield one("Mul_int64", "Mul", [(np.int64, (long,)), (np.int64, (long,))])
    yield one("Less_channels", "Less", [real(8, 64, 400), real(64, 1)])
    yield one("Where_mask", "Where", [(np.bool_, (1, 1, 128, 128)), real(8, 8, 128, 128),
                                      np.array(-1e4, np.float32)])
    yield one("Clip", "Clip", [real(long), np.array(-1, np.float32), np.array(1, np.float32)])
    scale, zero = np.array(0.05, np.float32), np.array(3, np.int8)
    yield one("QuantizeLinear", "QuantizeLinear", [real(long), scale, zero])
    yield one("DequantizeLinear", "DequantizeLinear", [(np.int8, (long,)), scale, zero])
    yield one("DynamicQuantizeLinear", "DynamicQuantizeLinear", [real(long)], 3)


def reductions() -> Iterator[Model]:
    shape = (32, 64, 128)
    for op in ("ReduceMax", "ReduceSum"):
        for axes in ((1, 3), (0, 2), (2, 3), (1, 2)):
            yield one(f"{op}_4_{label(axes)}", op, [real(8, 32, 28, 28), numbers(*axes)])
    for op in ("ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceProd ReduceSum "
               "ReduceSumSquare").split():
        for axes in ((2,), (1,), (0,), (0, 1, 2)):
            yield one(f"{op}_{label(axes)}", op, [real(*shape), numbers(*axes)])
    for axis in (0, 1, 2):
        yield one(f"ArgMax_{axis}", "ArgMax", [real(*shape)], axis=axis)
        yield one(f"CumSum_{axis}", "CumSum", [real(*shape), np.array(axis)])
        yield one(f"Softmax_{axis}", "Softmax", [real(64, 128, 64)], axis=axis)
    yield one("TopK_5", "TopK", [real(64, 4096), numbers(5)], 2)
    yield one("TopK_500", "TopK", [real(16, 4096), numbers(500)], 2)
    yield one("TopK_columns", "TopK", [real(4096, 16), numbers(50)], 2, axis=0)
    yield one("LogSoftmax", "LogSoftmax", [real(64, 1000)], axis=1)
    yield one("Hardmax", "Hardmax", [real(64, 1000)])
    yield one("LRN", "LRN", [real(1, 96, 55, 55)], size=5)
    yield one("LayerNormalization", "LayerNormalization",
              [real(8, 128, 256), floats(256), floats(256)])
    yield one("InstanceNormalization", "InstanceNormalization",
              [real(1, 64, 56, 56), floats(64), floats(64)])
    yield one("GlobalAveragePool", "GlobalAveragePool", [real(1, 64, 56, 56)])


def movement() -> Iterator[Model]:
    for perm in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (3, 2, 1, 0), (0, 1, 3, 2)):
        yield one(f"Transpose_{label(perm)}", "Transpose", [real(4, 32, 64, 48)], perm=perm)
    for kind in (np.uint8, np.float16, np.float32, np.int64):
        for name, shape, perm in (("pixels", (1, 3, 224, 224), (0, 2, 3, 1)),
                                  ("planes", (1, 224, 224, 3), (0, 3, 1, 2))):
            yield one(f"Transpose_{kind.__name__}_{name}", "Transpose", [(kind, shape)], perm=perm)
    for mode in ("constant", "edge", "reflect"):
        yield one(f"Pad_{mode}", "Pad",
                  [real(1, 64, 56, 56), numbers(0, 0, 3, 3, 0, 0, 3, 3)], mode=mode)
    yield one("Concat_channels", "Concat", [real(4, 32, 64, 48), real(4, 16, 64, 48)], axis=1)
    yield one("Concat_pairs", "Concat", [real(20_000, 2), real(20_000, 2)], axis=1)
    yield one("Slice_steps", "Slice", [real(1, 64, 56, 56), numbers(0, 0), numbers(56, 56),
                                       numbers(2, 3), numbers(2, 2)])
    yield one("Split_last", "Split", [real(512, 768)], 3, axis=-1, num_outputs=3)
    yield one("Tile", "Tile", [real(8, 64, 32), numbers(1, 4, 3)])
    yield one("Expand", "Expand", [real(32, 256, 1), numbers(32, 256, 64)])
    yield one("Gather_rows", "Gather", [real(5000, 256), whole(5000, 8, 128)])
    yield one("Gather_last", "Gather", [real(2000, 64), whole(64, 32)], axis=1)
    for axis in (0, 1):
        yield one(f"GatherElements_{axis}", "GatherElements",
                  [real(512, 512), whole(512, 512, 512)], axis=axis)
        yield one(f"ScatterElements_{axis}", "ScatterElements",
                  [real(512, 512), whole(512, 512, 512), real(512, 512)], axis=axis)
    yield one("ScatterND", "ScatterND", [real(4096, 32), whole(4096, 2048, 1), real(2048, 32)])
    yield one("DepthToSpace", "DepthToSpace", [real(1, 64, 56, 56)], blocksize=2)
    yield one("SpaceToDepth", "SpaceToDepth", [real(1, 64, 56, 56)], blocksize=2)
    nothing = np.array([], np.float32)
    for mode in ("nearest", "linear", "cubic"):
        scales = np.array([1, 1, 2, 2], np.float32)
        yield one(f"Resize_{mode}", "Resize", [real(1, 32, 56, 56), nothing, scales], mode=mode)
    yield one("Resize_repeated", "Resize",
              [real(1, 64, 56, 56), nothing, np.array([1, 1, 2, 2], np.float32)], mode="nearest",
              coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    grid = (RANDOM.random((1, 40, 40, 2)) * 2 - 1).astype(np.float32)
    yield one("GridSample", "GridSample", [real(1, 32, 56, 56), grid], mode="linear", opset=20)
    corners = np.sort(RANDOM.random((50, 4)).astype(np.float32) * 50, axis=-1)
    yield one("RoiAlign", "RoiAlign", [real(1, 64, 56, 56), corners, np.zeros(50, np.int64)],
              output_height=7, output_width=7, sampling_ratio=2)


def windows() -> Iterator[Model]:
    shapes = [(3, 16, 7, 2, 112, 1), (16, 16, 5, 1, 56, 1), (64, 64, 3, 1, 56, 1),
              (64, 128, 3, 2, 28, 1), (64, 256, 1, 1, 56, 1), (512, 512, 3, 1, 7, 1),
              (36, 12, 3, 1, 64, 1), (64, 64, 3, 1, 14, 8)]
    shapes += [(96, 96, kernel, stride, 56, 96) for kernel in (3, 5, 7) for stride in (1, 2)]
    for ins, outs, kernel, stride, size, groups in shapes:
        name = f"{ins}_{outs}_{kernel}x{kernel}_s{stride}_g{groups}_{size}"
        weights = (outs, ins // groups, kernel, kernel)
        window = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": groups}
        yield one(f"Conv_{name}", "Conv", [real(1, ins, size, size), floats(*weights)], **window)
        scale = np.array(0.02, np.float32)
        yield one(f"QLinearConv_{name}", "QLinearConv",
                  [(np.uint8, (1, ins, size, size)), scale, np.array(120, np.uint8),
                   (whole(255, *weights) - 127).astype(np.int8), scale, np.array(0, np.int8),
                   scale, np.array(130, np.uint8)], **window)
    for ins, outs, kernel, stride, size in ((128, 64, 4, 2, 28), (64, 3, 4, 2, 56)):
        yield one(f"ConvTranspose_{ins}_{outs}_{kernel}x{kernel}_s{stride}", "ConvTranspose",
                  [real(1, ins, size, size), floats(ins, outs, kernel, kernel)],
                  strides=[stride] * 2, pads=[1] * 4)
    for op in ("MaxPool", "AveragePool"):
        for kernel, stride in ((2, 2), (3, 1), (3, 2)):
            yield one(f"{op}_{kernel}x{kernel}_s{stride}", op, [real(1, 64, 56, 56)],
                      kernel_shape=[kernel] * 2, strides=[stride] * 2)


        yield one(f"{op}_line", op, [real(1, 64, 4000)], kernel_shape=[3], strides=[1],
                  pads=[1, 1])
        yield one(f"{op}_padded", op, [real(1, 64, 112, 112)], kernel_shape=[3, 3],
                  strides=[2, 2], pads=[1] * 4)
        yield one(f"{op}_volume", op, [real(1, 16, 16, 28, 28)], kernel_shape=[3] * 3,
                  strides=[2] * 3, pads=[1] * 6)
    for ins, outs, kernel, size, dilation, groups in (
            (64, 64, 3, 1000, 4, 1), (1, 64, 10, 8000, 1, 1), (64, 64, 31, 400, 1, 64)):
        yield one(f"Conv_line_{ins}_{outs}_{kernel}_d{dilation}_g{groups}", "Conv",
                  [real(1, ins, size), floats(outs, ins // groups, kernel)],
                  dilations=[dilation], group=groups)
    yield one("Conv_volume", "Conv", [real(1, 16, 8, 28, 28), floats(32, 16, 3, 3, 3)],
              pads=[1] * 6)
    yield one("ConvTranspose_line", "ConvTranspose", [real(1, 128, 200), floats(128, 64, 16)],
              strides=[8], pads=[4] * 2)


def products() -> Iterator[Model]:
    for rows, depth, columns in ((1, 768, 768), (8, 768, 768), (128, 768, 3072), (64, 256, 256)):
        name = f"{rows}x{depth}x{columns}"
        yield one(f"MatMul_{name}", "MatMul", [real(rows, depth), floats(depth, columns)])
        yield one(f"MatMulInteger_{name}", "MatMulInteger",
                  [(np.uint8, (rows, depth)),
                   (whole(255, depth, columns) - 127).astype(np.int8), np.array(128, np.uint8)])
    for left, right in (((4096, 100), (100, 1)), ((8, 512, 64), (8, 64, 1)), ((1000, 3, 3),) * 2,
                        ((300, 1), (1, 300)), ((127, 129), (129, 131))):
        yield one(f"MatMul_{label(left)}_{label(right)}", "MatMul", [real(*left), real(*right)])
    yield one("MatMul_heads", "MatMul", [real(8, 12, 64, 64), real(8, 12, 64, 64)])
    for equation, left, right in (("bij,bjk->bik", (16, 64, 64), (16, 64, 64)),
                                  ("bhid,bhjd->bhij", (2, 8, 64, 32), (2, 8, 64, 32)),
                                  ("ijk,k->ij", (64, 64, 100), (100,))):
        yield one("Einsum_" + equation.replace(",", "_").replace("->", "_"), "Einsum",
                  [real(*left), real(*right)], equation=equation)
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        yield one(op, op, [real(50, 1, 64), floats(1, gates * 64, 64), floats(1, gates * 64, 64)],
                  hidden_size=64)


FAMILIES: tuple[Callable[[], Iterator[Model]], ...] = (
    elementwise, reductions, movement, windows, products)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        for name, model in family():
            onnx.save(model, folder / f"{name}.onnx")


if __name__ == "__main__":
    main()
