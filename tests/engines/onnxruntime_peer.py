# SPDX-License-Identifier: Apache-2.0
"""Runs a model of one float input on random inputs in ONNX Runtime and in `slipway model run`.

usage: onnxruntime_peer.py SLIPWAY MODEL
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime


def main(slipway, model):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    shape = [dim if isinstance(dim, int) else 3 for dim in given.shape]
    random = np.random.default_rng(7)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for case in range(8):
            x = (random.random(shape) * 16).astype(np.float32)
            np.save(folder / "x.npy", x)
            subprocess.run(
                [slipway, "model", "run", model, "-i", f"{given.name}={folder / 'x.npy'}", "-d", folder / str(case)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            for output, wanted in zip(session.get_outputs(), session.run(None, {given.name: x})):
                got = np.load(folder / str(case) / f"{output.name}.npy")
                np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)
                worst = max(worst, float(np.max(np.abs(got - wanted))))
    print(f"{pathlib.Path(model).name}: agrees on 8 inputs, largest difference {worst:.2g}")


main(*sys.argv[1:])
