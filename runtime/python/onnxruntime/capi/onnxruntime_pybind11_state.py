# SPDX-License-Identifier: Apache-2.0
"""Options, descriptions and exceptions, under the module name that existing code imports."""

import ctypes
import enum
import os
import platform

from .._engine import Cancel
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
from .._library import RunOptions as LibraryRunOptions
from .._library import lib, path as _library_path
from .._logger import (
    log,
    set_default_logger_callback,
    set_default_logger_severity,
    set_default_logger_verbosity,
)

__version__ = "1.20.1"
slipway_version = lib.version().decode()

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
    CPU = -1
    DEFAULT = 0


_said = set()


def ignored(what):
    """Says once that something has no meaning here."""
    if what not in _said:
        _said.add(what)
        log.warning("%s has no meaning for Slipway's runtime and is ignored", what)


class _Attributes:
    """Attributes of fixed names and types; `_known` gives (default, ignored) of each."""

    _known = {}

    def __init_subclass__(cls):
        # The class has them too, for whoever asks which there are.
        for name, (default, _) in cls._known.items():
            setattr(cls, name, default)

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


def _number(key, value):
    """A configuration entry that is a number of 0 or more."""
    if not (value.isascii() and value.isdigit()) or int(value) >= 1 << 63:
        raise error(
            InvalidArgument, "configuration %s: %r is no whole number of 0 or more" % (key, value)
        )
    return int(value)


def _precision(key, value):
    """What the C library calls one of the precisions."""
    names = ("fp32", "bf16", "int8")
    if value not in names:
        raise error(
            InvalidArgument, "configuration %s: %r is none of %s" % (key, value, ", ".join(names))
        )
    return names.index(value)


class SessionOptions(_Attributes):
    """How a session is made. Used here: graph_optimization_level, intra_op_num_threads,
    enable_profiling, profile_file_prefix, log_severity_level, the free dimensions, and these
    configuration entries, whole numbers where 0 is the default:

    slipway.memory_limit_bytes: of all that the session allocates and has not given back
    slipway.tensor_limit_bytes, slipway.text_limit_bytes: of one tensor, of one tensor's text
    slipway.loop_trips_limit: runs of graphs inside nodes (Loop, Scan, If), in one run
    slipway.load_deadline_ms: to make the session
    slipway.strict_accuracy: 1 for nothing whose rounding errors are larger than those of sums
    slipway.tune_ms: to measure which kernels are the quickest here
    slipway.precision: no number: fp32, bf16 or int8, that products of weights are computed in
    slipway.choices_file: a path, no number: where the choices made so are kept and read

    With use_deterministic_compute kernels are those of a fixed rule, and the last two are left out.
    """

    _limit_entries = {
        "slipway.memory_limit_bytes": "memory_bytes",
        "slipway.tensor_limit_bytes": "tensor_bytes",
        "slipway.text_limit_bytes": "string_bytes",
        "slipway.loop_trips_limit": "loop_trips",
        "slipway.load_deadline_ms": "deadline_ms",
        "slipway.strict_accuracy": "strict_accuracy",
        "slipway.tune_ms": "tune_ms",
    }
    _choices_entry = "slipway.choices_file"
    _precision_entry = "slipway.precision"

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
        self.__dict__["_cancel"] = None

    def add_session_config_entry(self, key, value):
        self._set_entry(key, value)
        if key in self._limit_entries:
            _number(key, value)
        elif key == self._precision_entry:
            _precision(key, value)
        elif key != self._choices_entry:
            ignored("SessionOptions.add_session_config_entry(%r)" % key)

    def _limits(self):
        limits = [
            (field, _number(key, self._entries[key]))
            for key, field in self._limit_entries.items()
            if key in self._entries
        ]
        if self._precision_entry in self._entries:
            precision = self._entries[self._precision_entry]
            limits.append(("precision", _precision(self._precision_entry, precision)))
        if self.use_deterministic_compute:
            return tuple(limit for limit in limits if limit[0] != "tune_ms")
        choices = os.fsencode(self._entries.get(self._choices_entry, ""))
        if b"\0" in choices:
            raise ValueError("embedded null byte in %s" % self._choices_entry)
        return tuple(limits) + ((("choices_file", choices),) if choices else ())

    def set_load_cancellation_flag(self, value):
        """True ends the sessions that are being made with these options, from any thread."""
        if self._cancel is None:
            self.__dict__["_cancel"] = Cancel()
        self._cancel.set(value)

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

    def add_external_initializers_from_files_in_memory(self, names, values, sizes):
        raise error(
            NotImplemented,
            "SessionOptions.add_external_initializers_from_files_in_memory: feed the inputs"
            " instead",
        )

    def add_provider(self, name, options=None):
        """The provider that is there is used anyway; another is an error."""
        if name not in _PROVIDERS:
            raise error(InvalidArgument, "Unknown provider name: %s" % name)

    def set_provider_selection_policy(self, policy):
        """There is one provider."""
        ignored("SessionOptions.set_provider_selection_policy")

    def set_provider_selection_policy_delegate(self, delegate):
        """There is one provider."""
        ignored("SessionOptions.set_provider_selection_policy_delegate")

    def register_custom_ops_library(self, library):
        raise error(
            NotImplemented,
            "SessionOptions.register_custom_ops_library: %s: operators of one's own cannot be "
            "loaded; write them as functions of the model" % library,
        )

    def has_providers(self):
        return False


class RunOptions(_Attributes):
    """How one inference is run. `terminate` set to True, by any thread, ends the runs that were
    given this, some tens of milliseconds later. The configuration entry slipway.deadline_ms is how
    long a run may take."""

    _known = {
        "log_severity_level": (-1, False),
        "log_verbosity_level": (0, False),
        "logid": ("", False),
        "only_execute_path_to_fetches": (False, False),
        "terminate": (False, False),
    }
    _deadline = "slipway.deadline_ms"

    def __init__(self):
        super().__init__()
        options = LibraryRunOptions()
        lib.run_options_init_sized(ctypes.byref(options), ctypes.sizeof(options))
        self.__dict__.update(_cancel=Cancel(), _library_options=options)
        options.cancel = self._cancel.handle

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "terminate":
            self._cancel.set(value)

    def add_run_config_entry(self, key, value):
        self._set_entry(key, value)
        if key == self._deadline:
            self._library_options.deadline_ms = _number(key, value)
        else:
            ignored("RunOptions.add_run_config_entry(%r)" % key)

    def get_run_config_entry(self, key):
        return self._entry(key)

    def add_active_adapter(self, adapter):
        raise error(NotImplemented, "RunOptions.add_active_adapter: there are no adapters")

    def _known_by_library(self):
        return self._library_options


class OrtArenaCfg:
    """How a memory arena grows; accepted, as there is none: memory of a run is planned, and
    SessionOptions' slipway.memory_limit_bytes bounds it. From four numbers, or a dict of them."""

    _names = (
        "max_mem",
        "arena_extend_strategy",
        "initial_chunk_size_bytes",
        "max_dead_bytes_per_chunk",
    )

    def __init__(self, *values):
        if len(values) == 1 and isinstance(values[0], dict):
            unknown = set(values[0]) - set(self._names) - _MORE_OF_ARENAS
            if unknown:
                raise RuntimeError("Invalid OrtArenaCfg option: %s" % ", ".join(sorted(unknown)))
            values = [values[0].get(name, -1) for name in self._names]
        if len(values) != len(self._names) or not all(isinstance(v, int) for v in values):
            raise TypeError("OrtArenaCfg: four whole numbers, or a dict of them")
        for name, value in zip(self._names, values):
            setattr(self, name, value)


_MORE_OF_ARENAS = {"initial_growth_chunk_size_bytes", "max_power_of_two_extend_bytes"}


class OrtMemoryInfo:
    """What an allocator is for: here always memory of the CPU."""

    def __init__(self, name, allocator_type, device_id, memory_type):
        self.name, self.allocator_type = name, allocator_type
        self.device_id, self.mem_type = device_id, memory_type


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


def set_seed(seed):
    """Random operators take their seed from the model's attributes."""
    ignored("set_seed")


def create_and_register_allocator(memory_info, arena_config=None):
    """Sessions have no allocators to share."""
    ignored("create_and_register_allocator")


def create_and_register_allocator_v2(provider_type, memory_info, options, arena_config=None):
    """Sessions have no allocators to share."""
    ignored("create_and_register_allocator_v2")


def set_global_thread_pool_sizes(intra_op_num_threads, inter_op_num_threads):
    """Threads are the process's, and a session's number holds for its runs."""
    ignored("set_global_thread_pool_sizes")


def has_collective_ops():
    return False


def get_default_session_options():
    return SessionOptions()


def register_execution_provider_library(name, path):
    raise error(NotImplemented, "execution provider %s: %s cannot be loaded" % (name, path))


def unregister_execution_provider_library(name):
    raise error(NotImplemented, "execution provider %s is not there" % name)


def enable_telemetry_events():
    """There is no telemetry."""


def disable_telemetry_events():
    """There is no telemetry."""


_OWN = (
    "Cancel",
    "LibraryRunOptions",
    "ctypes",
    "enum",
    "error",
    "ignored",
    "lib",
    "log",
    "platform",
)
__all__ = [name for name in dir() if not name.startswith("_") and name not in _OWN]
