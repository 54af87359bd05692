# SPDX-License-Identifier: Apache-2.0
"""Writes model.onnx: the digit classifier of ../digits with the names that the scripts use.

Needs the package onnx:  python3 templates/scripts/make_model.py
"""

import pathlib

import onnx

NAMES = {"image": "inX", "probabilities": "outY"}


def main():
    here = pathlib.Path(__file__).resolve().parent
    model = onnx.load(str(here.parent / "digits" / "digits.onnx"))
    for port in list(model.graph.input) + list(model.graph.output):
        port.name = NAMES[port.name]
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = NAMES.get(name, name)
    onnx.checker.check_model(model)
    onnx.save(model, str(here / "model.onnx"))


if __name__ == "__main__":
    main()
