# SPDX-License-Identifier: Apache-2.0
"""Options, descriptions and exceptions, under the module name that existing code imports."""

import enum
import logging
import platform

from .._errors import (
    DeviceReset,
    EngineError,
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    ModelLoadCanceled,
    ModelLoaded,
    ModelRequiresCompilation,
    NoModel,
    NoSuchFile,
    NotFound,
    NotImplemented,
    RuntimeException,
    error,
)
from .._library import lib, path as _library_path

__version__ = "1.20.1"
slipway_version = lib.version().decode()

_log = logging.getLogger("onnxruntime")
_PROVIDERS = ["CPUExecutionProvider"]


class _Enum(enum.Enum):
    def __int__(self):
        return self.value

    __index__ = __int__


class GraphOptimizationLevel(_Enum):
    """ORT_DISABLE_ALL runs the graph as it is written; the others are one: all rewrites, which
    are exact."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(_Enum):
    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(_Enum):
    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class OrtAllocatorType(_Enum):
    INVALID = -1
    ORT_DEVICE_ALLOCATOR = 0
    ORT_ARENA_ALLOCATOR = 1


class OrtMemType(_Enum):
    CPU_INPUT = -2
    CPU_OUTPUT = -1
    DEFAULT = 0


_said = set()


def ignored(what):
    """Says once that something has no meaning here."""
    if what not in _said:
        _said.add(what)
        _log.warning("%s has no meaning for Slipway's runtime and is ignored", what)


class _Attributes:
    """Attributes of fixed names and types; `_known` gives (default, ignored) of each."""

    _known = {}

    def __init__(self):
        for name, (default, _) in self._known.items():
            self.__dict__[name] = default
        self.__dict__["_entries"] = {}

    def __setattr__(self, name, value):
        if name not in self._known:
            raise AttributeError("'%s' object has no attribute '%s'" % (type(self).__name__, name))
        default, unused = self._known[name]
        kind = type(default)
        if not isinstance(value, kind) and not (kind is int and hasattr(value, "__index__")):
            raise TypeError(
                "%s.%s: %r is no %s" % (type(self).__name__, name, value, kind.__name__)
            )
        self.__dict__[name] = int(value) if kind is int else value
        if unused and value != default:
            ignored("%s.%s" % (type(self).__name__, name))

    def _entry(self, key):
        if key not in self._entries:
            raise RuntimeError(
                "%s does not have configuration with key: %s" % (type(self).__name__, key)
            )
        return self._entries[key]

    def _set_entry(self, key, value):
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("%s: a configuration entry is two str" % type(self).__name__)
        self._entries[key] = value


class SessionOptions(_Attributes):
    """How a session is made. Used here: graph_optimization_level, intra_op_num_threads,
    enable_profiling, profile_file_prefix, log_severity_level and the free dimensions."""

    _known = {
        "enable_cpu_mem_arena": (True, True),
        "enable_mem_pattern": (True, True),
        "enable_mem_reuse": (True, True),
        "enable_profiling": (False, False),
        "execution_mode": (ExecutionMode.ORT_SEQUENTIAL, True),
        "execution_order": (ExecutionOrder.DEFAULT, True),
        "graph_optimization_level": (GraphOptimizationLevel.ORT_ENABLE_ALL, False),
        "inter_op_num_threads": (0, True),
        "intra_op_num_threads": (0, False),
        "log_severity_level": (-1, False),
        "log_verbosity_level": (0, False),
        "logid": ("", False),
        "optimized_model_filepath": ("", True),
        "profile_file_prefix": ("onnxruntime_profile_", False),
        "use_deterministic_compute": (False, False),
        "use_per_session_threads": (True, True),
    }

    def __init__(self):
        super().__init__()
        self.__dict__["_free_dimensions"] = {}

    def add_session_config_entry(self, key, value):
        self._set_entry(key, value)
        ignored("SessionOptions.add_session_config_entry(%r)" % key)

    def get_session_config_entry(self, key):
        return self._entry(key)

    def add_free_dimension_override_by_name(self, name, size):
        """Fixes the size of a named dimension of the inputs."""
        self._free_dimensions[str(name)] = int(size)

    def add_free_dimension_override_by_denotation(self, denotation, size):
        ignored("SessionOptions.add_free_dimension_override_by_denotation")

    def add_initializer(self, name, value):
        raise error(NotImplemented, "SessionOptions.add_initializer: feed the input instead")

    def add_external_initializers(self, names, values):
        raise error(
            NotImplemented, "SessionOptions.add_external_initializers: feed the inputs instead"
        )

    def register_custom_ops_library(self, library):
        raise error(
            NotImplemented,
            "SessionOptions.register_custom_ops_library: %s: operators of one's own cannot be "
            "loaded; write them as functions of the model" % library,
        )

    def has_providers(self):
        return False


class RunOptions(_Attributes):
    """How one inference is run. `terminate` is looked at before it begins."""

    _known = {
        "log_severity_level": (-1, False),
        "log_verbosity_level": (0, False),
        "logid": ("", False),
        "only_execute_path_to_fetches": (False, False),
        "terminate": (False, False),
    }

    def add_run_config_entry(self, key, value):
        self._set_entry(key, value)
        ignored("RunOptions.add_run_config_entry(%r)" % key)

    def get_run_config_entry(self, key):
        return self._entry(key)


class NodeArg:
    """An input or output of a model: `name`, `type` such as `tensor(float)`, and `shape`, a list
    of sizes, names of open dimensions, and None; empty where the rank is open."""

    __slots__ = ("name", "type", "shape")

    def __init__(self, name, type_text, shape):
        self.name, self.type, self.shape = name, type_text, shape

    def __repr__(self):
        return "NodeArg(name=%r, type=%r, shape=%r)" % (self.name, self.type, self.shape)


class ModelMetadata:
    """What the model's file says of itself."""

    __slots__ = (
        "custom_metadata_map",
        "description",
        "domain",
        "graph_description",
        "graph_name",
        "producer_name",
        "version",
    )

    def __init__(self, engine):
        self.producer_name, self.domain = engine.text(0), engine.text(2)
        self.graph_name, self.description = engine.text(3), engine.text(4)
        self.graph_description = ""
        self.version, self.custom_metadata_map = engine.version, engine.metadata


def _invalid(message):
    return error(InvalidArgument, message)


def _failed(message):
    return error(Fail, message)


class SessionIOBinding:
    """The name that ONNX Runtime has for the inside of IOBinding; here there is nothing inside."""


def get_available_providers():
    return list(_PROVIDERS)


def get_all_providers():
    return list(_PROVIDERS)


def get_device():
    return "CPU"


def get_version_string():
    return __version__


def get_build_info():
    return "Slipway %s, %s, library %s" % (slipway_version, platform.machine(), _library_path)


def set_default_logger_severity(severity):
    """0 verbose, 1 information, 2 warnings, 3 errors, 4 fatal; of the logger `onnxruntime`."""
    levels = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
    if severity not in range(5):
        raise RuntimeError("Invalid logging severity %r: it is 0 to 4" % (severity,))
    _log.setLevel(levels[severity])


def set_default_logger_verbosity(level):
    """Accepted: there is one level of detail."""


def set_seed(seed):
    """Random operators take their seed from the model's attributes."""
    ignored("set_seed")


def enable_telemetry_events():
    """There is no telemetry."""


def disable_telemetry_events():
    """There is no telemetry."""


_OWN = ("enum", "logging", "platform", "lib", "error", "ignored")
__all__ = [name for name in dir() if not name.startswith("_") and name not in _OWN]
