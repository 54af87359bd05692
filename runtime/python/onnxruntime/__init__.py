# SPDX-License-Identifier: Apache-2.0
"""Slipway's runtime under the names of ONNX Runtime's Python package.

Code written for `import onnxruntime` runs unchanged. `__version__` is the version of ONNX Runtime
whose interface this package follows; `slipway_version` is the library's own.
"""

try:
    import numpy as _numpy  # noqa: F401
except ImportError as _error:
    raise ImportError(
        "onnxruntime needs numpy, which this Python cannot import (%s); "
        "fix: pip install numpy, or apt-get install python3-numpy" % _error
    ) from _error

from .capi._pybind_state import (
    ExecutionMode,
    ExecutionOrder,
    GraphOptimizationLevel,
    ModelMetadata,
    NodeArg,
    OrtAllocatorType,
    OrtArenaCfg,
    OrtMemType,
    OrtMemoryInfo,
    RunOptions,
    SessionIOBinding,
    SessionOptions,
    __version__,
    create_and_register_allocator,
    create_and_register_allocator_v2,
    disable_telemetry_events,
    enable_telemetry_events,
    get_all_providers,
    get_available_providers,
    get_build_info,
    get_device,
    get_version_string,
    has_collective_ops,
    register_execution_provider_library,
    set_default_logger_callback,
    set_default_logger_severity,
    set_default_logger_verbosity,
    set_global_thread_pool_sizes,
    set_seed,
    slipway_version,
    unregister_execution_provider_library,
)
from .capi.onnxruntime_inference_collection import (
    InferenceSession,
    IOBinding,
    OrtDevice,
    OrtValue,
)

__author__ = "Slipway"
package_name = "onnxruntime"
version = __version__


def preload_dlls(cuda=True, cudnn=True, msvc=True, directory=None):
    """There are no libraries of devices to load."""


def print_debug_info():
    """Prints which library this is."""
    print(get_build_info())


__all__ = [
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeArg",
    "OrtAllocatorType",
    "OrtArenaCfg",
    "OrtDevice",
    "OrtMemType",
    "OrtMemoryInfo",
    "OrtValue",
    "RunOptions",
    "SessionIOBinding",
    "SessionOptions",
    "__version__",
    "create_and_register_allocator",
    "create_and_register_allocator_v2",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "get_version_string",
    "has_collective_ops",
    "package_name",
    "preload_dlls",
    "print_debug_info",
    "register_execution_provider_library",
    "set_default_logger_callback",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_global_thread_pool_sizes",
    "set_seed",
    "slipway_version",
    "unregister_execution_provider_library",
    "version",
]
