# SPDX-License-Identifier: Apache-2.0
"""The functions of an ONNX backend (onnx.backend.base). Needs the package onnx."""

from .backend import OnnxRuntimeBackend, is_compatible, prepare, run, supports_device
from .backend_rep import OnnxRuntimeBackendRep

__all__ = [
    "OnnxRuntimeBackend",
    "OnnxRuntimeBackendRep",
    "is_compatible",
    "prepare",
    "run",
    "supports_device",
]
