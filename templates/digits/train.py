#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the digit classifier of this folder and writes it with its samples.

The data is scikit-learn's bundled copy of the UCI "Optical Recognition of Handwritten Digits" test
set: 1797 grey images of 8x8 pixels, values 0 to 16. A quarter is held back and never trained on.
The network (two convolutions, one dense layer) is written in numpy, forward and backward, and
exported to ONNX by hand, so that nothing but numpy, scikit-learn and onnx is needed.

    python3 train.py            # writes digits.onnx and samples/ beside this file
    python3 train.py --out DIR  # somewhere else
"""

import argparse
import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20260301
EPOCHS = 60
BATCH = 32
PIXEL_MAX = 16.0
CHANNELS = (16, 32)


def patches(x):
    """Every 3x3 neighbourhood of x [n, c, h, w], zero padded: [n, h, w, c * 9]."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


class Conv:
    """3x3 convolution, stride 1, same size."""

    def __init__(self, rng, inputs, outputs):
        self.weight = rng.normal(0, np.sqrt(2 / (inputs * 9)), (outputs, inputs, 3, 3))
        self.bias = np.zeros(outputs)

    def forward(self, x):
        self.columns = patches(x)
        flat = self.weight.reshape(len(self.bias), -1)
        return (self.columns @ flat.T + self.bias).transpose(0, 3, 1, 2)

    def backward(self, grad):
        rows = grad.transpose(0, 2, 3, 1).reshape(-1, len(self.bias))
        self.weight_grad = (rows.T @ self.columns.reshape(len(rows), -1)).reshape(self.weight.shape)
        self.bias_grad = rows.sum(axis=0)
        turned = self.weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        return (patches(grad) @ turned.reshape(len(turned), -1).T).transpose(0, 3, 1, 2)


class Dense:
    def __init__(self, rng, inputs, outputs):
        self.weight = rng.normal(0, np.sqrt(1 / inputs), (outputs, inputs))
        self.bias = np.zeros(outputs)

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.weight.T + self.bias

    def backward(self, grad):
        self.weight_grad = grad.T @ self.x
        self.bias_grad = grad.sum(axis=0)
        return (grad @ self.weight).reshape(self.shape)


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, grad):
        return grad * self.mask


class MaxPool:
    """2x2, stride 2."""

    def forward(self, x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
        self.blocks = blocks.reshape(n, c, h // 2, w // 2, 4)
        self.winner = self.blocks.argmax(axis=-1)
        return self.blocks.max(axis=-1)

    def backward(self, grad):
        n, c, h, w, _ = self.blocks.shape
        blocks = np.zeros_like(self.blocks)
        np.put_along_axis(blocks, self.winner[..., None], grad[..., None], axis=-1)
        return blocks.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h * 2, w * 2)


def softmax(x):
    exp = np.exp(x - x.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def shifted(rng, x):
    """Moves each image by up to one pixel, which is what makes so little data go far."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = rng.integers(0, 3, (2, len(x)))
    return np.stack([p[:, r : r + 8, c : c + 8] for p, r, c in zip(padded, rows, columns)])


def train(layers, x, y, rng):
    """Adam on the cross entropy, with a learning rate that falls to zero."""
    trained = [layer for layer in layers if hasattr(layer, "weight")]
    moments = [[np.zeros_like(p) for p in (l.weight, l.weight, l.bias, l.bias)] for l in trained]
    step, steps = 0, EPOCHS * -(-len(x) // BATCH)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        total = 0.0
        for start in range(0, len(x), BATCH):
            chosen = order[start : start + BATCH]
            probabilities = softmax(forward(layers, shifted(rng, x[chosen])))
            total -= np.log(probabilities[np.arange(len(chosen)), y[chosen]]).sum()
            grad = probabilities
            grad[np.arange(len(chosen)), y[chosen]] -= 1
            grad /= len(chosen)
            for layer in reversed(layers):
                grad = layer.backward(grad)
            step += 1
            rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for layer, moment in zip(trained, moments):
                for i, name in enumerate(("weight", "bias")):
                    g, m, v = getattr(layer, name + "_grad"), moment[2 * i], moment[2 * i + 1]
                    m += 0.1 * (g - m)
                    v += 0.001 * (g * g - v)
                    update = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
                    setattr(layer, name, getattr(layer, name) - rate * update)
        print(f"epoch {epoch + 1:2d}/{EPOCHS}  loss {total / len(x):.4f}")


def export(layers, accuracy, held_back):
    """The network as ONNX. Pixels are taken as they are, 0 to 16: their scale is in the weights,
    exactly, because it is a power of two."""
    conv1, conv2, dense = (layer for layer in layers if hasattr(layer, "weight"))
    weights = {
        "conv1.weight": conv1.weight / PIXEL_MAX, "conv1.bias": conv1.bias,
        "conv2.weight": conv2.weight, "conv2.bias": conv2.bias,
        "dense.weight": dense.weight, "dense.bias": dense.bias,
    }
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
    half = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["c1"], "conv1", **same),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool1", **half),
        helper.make_node("Conv", ["p1", "conv2.weight", "conv2.bias"], ["c2"], "conv2", **same),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool2", **half),
        helper.make_node("Flatten", ["p2"], ["flat"], "flatten", axis=1),
        helper.make_node("Gemm", ["flat", "dense.weight", "dense.bias"], ["logits"], "dense", transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7,
                              producer_name="slipway-digits", producer_version="1")
    model.doc_string = "Handwritten digits of 8x8 pixels (values 0 to 16) to probabilities."
    helper.set_model_props(model, {
        "accuracy": f"{accuracy:.4f}", "held_back": str(held_back), "seed": str(SEED),
        "data": "scikit-learn load_digits (UCI optical recognition of handwritten digits)"})
    onnx.checker.check_model(model, full_check=True)
    return model


def write_sample(folder, index, image, label, probabilities):
    """One held-back digit: tensors for `slipway model test`, a request body for the service."""
    data_set = folder / f"test_data_set_{index}"
    data_set.mkdir(parents=True)
    for name, array, file in (("image", image, "input_0.pb"), ("probabilities", probabilities, "output_0.pb")):
        tensor = numpy_helper.from_array(array.astype(np.float32), name)
        (data_set / file).write_bytes(tensor.SerializeToString())
    body = json.dumps({"image": image.astype(int).tolist()}, separators=(",", ":"))
    (folder / f"digits_{index}.json").write_text(body + "\n")
    return {"request": f"digits_{index}.json", "label": int(label), "predicted": int(probabilities.argmax())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    out = parser.parse_args().out

    digits = load_digits()
    images = digits.images[:, None].astype(np.float64)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.25, stratify=digits.target, random_state=SEED)
    rng = np.random.default_rng(SEED)
    layers = [Conv(rng, 1, CHANNELS[0]), Relu(), MaxPool(), Conv(rng, *CHANNELS), Relu(), MaxPool(),
              Dense(rng, CHANNELS[1] * 4, 10)]
    train(layers, train_x / PIXEL_MAX, train_y, rng)

    probabilities = softmax(forward(layers, test_x / PIXEL_MAX))
    accuracy = float((probabilities.argmax(axis=1) == test_y).mean())
    model = export(layers, accuracy, len(test_x))
    out.mkdir(parents=True, exist_ok=True)
    (out / "digits.onnx").write_bytes(model.SerializeToString(deterministic=True))

    samples = out / "samples"
    shutil.rmtree(samples, ignore_errors=True)
    chosen = [int(np.flatnonzero(test_y == digit)[0]) for digit in range(10)]
    rows = [write_sample(samples, i, test_x[j : j + 1], test_y[j], probabilities[j : j + 1])
            for i, j in enumerate(chosen)]
    (samples / "labels.json").write_text(json.dumps(rows, indent=1) + "\n")
    wrong = int(round((1 - accuracy) * len(test_x)))
    print(f"accuracy {accuracy:.4f}: {wrong} of {len(test_x)} held-back digits wrong")


if __name__ == "__main__":
    main()
