# SPDX-License-Identifier: Apache-2.0
"""The backend that `onnx.backend.test` runs its cases against."""

import os

from onnx import ModelProto
from onnx.backend.base import Backend

from .. import InferenceSession, SessionOptions, get_device
from ..capi.onnxruntime_pybind11_state import NotImplemented as Unsupported
from .backend_rep import OnnxRuntimeBackendRep


class OnnxRuntimeBackend(Backend):
    """Models on this package's sessions."""

    @classmethod
    def is_compatible(cls, model, device=None, **kwargs):
        """Whether every operator of the model is there, and the device."""
        if device is not None and not cls.supports_device(device):
            return False
        try:
            cls.prepare(model, device or "CPU", **kwargs)
        except Unsupported:
            return False
        return True

    @classmethod
    def supports_device(cls, device):
        return str(device).upper().split(":")[0] == get_device()

    @classmethod
    def prepare(cls, model, device=None, **kwargs):
        """`model`: a ModelProto, its bytes, a path, a session, or what this gave. Options of a
        session are given by name."""
        if isinstance(model, OnnxRuntimeBackendRep):
            return model
        if isinstance(model, InferenceSession):
            return OnnxRuntimeBackendRep(model)
        if device is not None and not cls.supports_device(device):
            raise RuntimeError(
                "Incompatible device expected '%s', got '%s'" % (device, get_device())
            )
        options = SessionOptions()
        for name, value in kwargs.items():
            if name not in ("providers", "no_check_UNSAFE"):
                setattr(options, name, value)
        if isinstance(model, ModelProto):
            model = model.SerializeToString()
        elif isinstance(model, os.PathLike):
            model = os.fspath(model)
        return OnnxRuntimeBackendRep(InferenceSession(model, options))

    @classmethod
    def run_model(cls, model, inputs, device=None, **kwargs):
        """`inputs` as for OnnxRuntimeBackendRep.run."""
        return cls.prepare(model, device).run(inputs, **kwargs)

    @classmethod
    def run(cls, model, inputs, device=None, **kwargs):
        return cls.run_model(model, inputs, device, **kwargs)

    @classmethod
    def run_node(cls, node, inputs, device=None, outputs_info=None, **kwargs):
        """ONNX Runtime runs models only, and so does this."""
        raise NotImplementedError("a node cannot be run alone: make a model of it")


is_compatible = OnnxRuntimeBackend.is_compatible
prepare = OnnxRuntimeBackend.prepare
run = OnnxRuntimeBackend.run_model
supports_device = OnnxRuntimeBackend.supports_device
