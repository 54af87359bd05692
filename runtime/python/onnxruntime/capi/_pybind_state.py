# SPDX-License-Identifier: Apache-2.0
"""All of onnxruntime_pybind11_state, as ONNX Runtime has it under this name too."""

from .onnxruntime_pybind11_state import *  # noqa: F401,F403
from .onnxruntime_pybind11_state import __version__  # noqa: F401
