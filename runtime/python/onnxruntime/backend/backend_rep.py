# SPDX-License-Identifier: Apache-2.0
"""A prepared model of the ONNX backend."""

from onnx.backend.base import BackendRep

from ..capi.onnxruntime_pybind11_state import RunOptions


class OnnxRuntimeBackendRep(BackendRep):
    def __init__(self, session):
        self._session = session

    def run(self, inputs, **kwargs):
        """`inputs`: a list in the order of the model's inputs, one array, or names to values.
        Options of a run are given by name."""
        options = RunOptions()
        for name, value in kwargs.items():
            setattr(options, name, value)
        names = [arg.name for arg in self._session.get_inputs()]
        if isinstance(inputs, list):
            if len(inputs) > len(names):
                names += [arg.name for arg in self._session.get_overridable_initializers()]
            if len(inputs) > len(names):
                raise ValueError("%d inputs where the model takes %d" % (len(inputs), len(names)))
            inputs = dict(zip(names, inputs))
        elif not isinstance(inputs, dict):
            if len(names) != 1:
                raise RuntimeError("Model expect %d inputs" % len(names))
            inputs = {names[0]: inputs}
        return self._session.run(None, inputs, options)
