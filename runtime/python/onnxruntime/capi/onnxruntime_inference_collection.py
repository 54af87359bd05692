# SPDX-License-Identifier: Apache-2.0
"""InferenceSession, OrtValue, IOBinding."""

import ctypes
import json
import os
import threading
import time
import warnings

import numpy as np

from .. import _dtypes, _sessions, _values
from .._engine import WRITTEN
from . import onnxruntime_pybind11_state as C

_CPU = "CPUExecutionProvider"


def _providers(given, options):
    """Names and options of the providers that are used; warns of those that are not there."""
    if given and options and len(given) != len(options):
        raise ValueError(
            "'providers' and 'provider_options' should be the same length if both are given."
        )
    for provider in [given] if isinstance(given, str) else given or []:
        name = provider[0] if isinstance(provider, tuple) else provider
        if name not in C.get_available_providers():
            warnings.warn(
                "Specified provider '%s' is not in available provider names. Available providers:"
                " '%s'" % (name, ", ".join(C.get_available_providers())),
                stacklevel=4,
            )
    return [_CPU], {_CPU: {}}


class Session:
    """What InferenceSession can do once it is made. Thread-safe."""

    def __init__(self):
        self._engine = None
        self._options = None
        self._prefix = ""
        self._profiling_since = 0

    def get_session_options(self):
        return self._options

    def _args(self, ports):
        fixed = self._options._free_dimensions if self._options else {}
        return [
            C.NodeArg(p.name, p.type.text, [fixed.get(dim, dim) for dim in p.type.shape])
            for p in ports
        ]

    def get_inputs(self):
        return self._args(self._engine.inputs)

    def get_outputs(self):
        return self._args(self._engine.outputs)

    def get_overridable_initializers(self):
        return self._args(self._engine.overridable)

    def get_modelmeta(self):
        return C.ModelMetadata(self._engine)

    def get_providers(self):
        return [_CPU]

    def get_provider_options(self):
        return {_CPU: {}}

    def set_providers(self, providers=None, provider_options=None):
        _providers(providers, provider_options)

    def enable_fallback(self):
        """There is one provider, which is always there."""

    def disable_fallback(self):
        """There is one provider, which is always there."""

    def run(self, output_names, input_feed, run_options=None):
        """The outputs of those names, all where `output_names` is None or empty, in a list.

        `input_feed` maps names to numpy arrays, lists (sequences) and dicts (maps). Other threads
        run meanwhile.
        """
        engine = self._engine
        options = None if run_options is None else _known(run_options)
        if self._fixed:
            self._check_fixed(input_feed)
        if output_names:
            if isinstance(output_names, str):
                raise TypeError(
                    "run(): output_names is a list of names, not the str %r" % output_names
                )
            return engine.run(tuple(output_names), input_feed, options)
        return engine.run((), input_feed, options)

    def _check_fixed(self, feeds):
        for name, index, symbol, size in self._fixed:
            shape = getattr(feeds.get(name), "shape", ())
            if index < len(shape) and shape[index] != size:
                raise C._invalid(
                    "Got invalid dimensions for input: %s index: %d Got: %d Expected: %d (%s is "
                    "fixed by the session's options)" % (name, index, shape[index], size, symbol)
                )

    def run_async(self, output_names, input_feed, callback, user_data, run_options=None):
        """Runs in a thread of its own; `callback(results, user_data, error)` is called there."""

        def work():
            try:
                results, error = self.run(output_names, input_feed, run_options), ""
            except Exception as raised:
                results, error = [], str(raised)
            callback(results, user_data, error)

        threading.Thread(target=work, name="onnxruntime-run-async", daemon=True).start()

    def run_with_ort_values(self, output_names, input_dict_ort_values, run_options=None):
        """As `run`, with OrtValues in and out."""
        feeds = {name: value._fed() for name, value in input_dict_ort_values.items()}
        return [OrtValue(value) for value in self.run(output_names, feeds, run_options)]

    def run_with_ortvaluevector(
        self, run_options, feed_names, feeds, fetch_names, fetches, fetch_devices=None
    ):
        """As run_with_ort_values, with lists; `fetches` is filled."""
        named = dict(zip(feed_names, feeds))
        fetches[:] = self.run_with_ort_values(list(fetch_names), named, run_options)

    def create_ortvalue_from_shape_and_type(
        self, shape, element_type, device_type="cpu", device_id=0, vendor_id=-1
    ):
        return OrtValue.ortvalue_from_shape_and_type(shape, element_type, device_type, device_id)

    def get_tuning_results(self):
        """Nothing is tuned."""
        return []

    def set_tuning_results(self, results, *, error_on_invalid=False):
        C.ignored("InferenceSession.set_tuning_results")

    def set_ep_dynamic_options(self, options):
        C.ignored("InferenceSession.set_ep_dynamic_options")

    def io_binding(self):
        return IOBinding(self)

    def run_with_iobinding(self, iobinding, run_options=None):
        iobinding._run(run_options)

    def get_profiling_start_time_ns(self):
        return self._profiling_since

    def end_profiling(self):
        """Writes what each node took as a trace that chrome://tracing shows; the file's name, or
        an empty one where the options did not ask for it."""
        if not self._profiling_since:
            return ""
        name = "%s_%s.json" % (self._prefix, time.strftime("%Y-%m-%d_%H-%M-%S"))
        events, at = [], 0
        for node in json.loads(self._engine.profile()):
            length = int(node["total_ms"] * 1000)
            arguments = {"op_name": node["op_type"], "kernel": node["kernel"], "runs": node["runs"]}
            events.append(
                {
                    "cat": "Node",
                    "pid": os.getpid(),
                    "tid": 0,
                    "ph": "X",
                    "ts": at,
                    "dur": length,
                    "name": node["node"],
                    "args": arguments,
                }
            )
            at += length
        with open(name, "w", encoding="utf-8") as file:
            json.dump(events, file)
        self._profiling_since = 0
        return name


def _known(run_options):
    if not isinstance(run_options, C.RunOptions):
        raise TypeError("run(): run_options is a RunOptions, not %s" % type(run_options).__name__)
    return run_options._known_by_library()


class InferenceSession(Session):
    """A model made ready to run.

    `path_or_bytes`: a path, or the bytes of a model. What ONNX Runtime knows and has no meaning
    here is accepted; the logger `onnxruntime` says so once.
    """

    def __init__(
        self, path_or_bytes, sess_options=None, providers=None, provider_options=None, **kwargs
    ):
        super().__init__()
        if isinstance(path_or_bytes, (str, os.PathLike)):
            path_or_bytes = os.fspath(path_or_bytes)
        elif not isinstance(path_or_bytes, bytes):
            raise TypeError("Unable to load from type '%s'" % type(path_or_bytes))
        if sess_options is not None and not isinstance(sess_options, C.SessionOptions):
            raise TypeError(
                "sess_options is a SessionOptions, not %s" % type(sess_options).__name__
            )
        _providers(providers, provider_options)
        for name in kwargs:
            if name not in ("enable_fallback", "read_config_from_model", "disabled_optimizers"):
                C.ignored("InferenceSession(%s=...)" % name)
        options = sess_options or C.SessionOptions()
        self._options = sess_options
        self._prefix = options.profile_file_prefix
        self._engine = _sessions.engine(
            path_or_bytes,
            threads=max(0, options.intra_op_num_threads),
            rewrite=options.graph_optimization_level != C.GraphOptimizationLevel.ORT_DISABLE_ALL
            and not kwargs.get("disabled_optimizers"),
            profile=options.enable_profiling,
            limits=options._limits(),
            cancel=options._cancel,
        )
        self._profiling_since = time.time_ns() if options.enable_profiling else 0
        self._fixed = [
            (port.name, index, symbol, options._free_dimensions[symbol])
            for port in self._engine.inputs
            for index, symbol in enumerate(port.type.shape)
            if symbol in options._free_dimensions
        ]


class OrtDevice:
    """Where memory lies: here always the CPU."""

    def __init__(self, device_type="cpu", device_id=0):
        self._type, self._id = device_type, device_id

    @staticmethod
    def make(ort_device_name, device_id=0, vendor_id=-1):
        _check_device(ort_device_name)
        return OrtDevice(ort_device_name.lower(), device_id)

    def device_id(self):
        return self._id

    def device_type(self):
        return self._type

    def device_mem_type(self):
        return 0

    def device_vendor_id(self):
        return 0


def _check_device(name):
    if str(name).lower() not in ("cpu", "none"):
        raise RuntimeError(
            "device '%s' is not there: %s" % (name, ", ".join(C.get_available_providers()))
        )


class OrtValue:
    """A value and its element type. Tensors are over the memory of the numpy array they were made
    from, which both may change."""

    def __init__(self, value, number=0):
        self._value, self._number = value, number

    @classmethod
    def ortvalue_from_numpy(cls, numpy_obj, device_type="cpu", device_id=0, vendor_id=-1):
        _check_device(device_type)
        if not isinstance(numpy_obj, np.ndarray) or numpy_obj.dtype.kind in "OUSM":
            raise RuntimeError(
                "Creation of OrtValues is currently only supported from non-string numpy arrays"
            )
        number = _dtypes.number_of(numpy_obj.dtype)
        if not number:
            raise RuntimeError("numpy type %s has no ONNX element type" % numpy_obj.dtype)
        return cls(np.require(numpy_obj, numpy_obj.dtype.newbyteorder("="), ["C", "A"]), number)

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, data, onnx_element_type):
        """The bits of an array of integers as elements of another type of their size."""
        wanted = _dtypes.dtype_of(onnx_element_type)
        if wanted.itemsize != data.dtype.itemsize:
            raise RuntimeError(
                "elements of %s are not of the size of ONNX type %d"
                % (data.dtype, onnx_element_type)
            )
        return cls(np.ascontiguousarray(data).view(wanted), onnx_element_type)

    @classmethod
    def ortvalue_from_shape_and_type(
        cls, shape, element_type, device_type="cpu", device_id=0, vendor_id=-1, memory_info=None
    ):
        """Memory of that shape; its elements are not set. The type is a numpy or an ONNX one."""
        _check_device(device_type)
        dtype = (
            _dtypes.dtype_of(element_type)
            if isinstance(element_type, int)
            else np.dtype(element_type)
        )
        return cls(np.empty(tuple(shape), dtype), _dtypes.number_of(dtype))

    @classmethod
    def from_dlpack(cls, data, is_bool_tensor=False):
        """A tensor over memory of another library: an object that speaks DLPack."""
        array = np.from_dlpack(data)
        return cls(array.view(np.bool_) if is_bool_tensor else array)

    def __dlpack__(self, **options):
        return self._tensor().__dlpack__(**options)

    def __dlpack_device__(self):
        return self._tensor().__dlpack_device__()

    def to_dlpack(self):
        return self.__dlpack__()

    def _tensor(self):
        if not isinstance(self._value, np.ndarray):
            raise RuntimeError("the value is %s, no tensor" % self.data_type())
        return self._value

    def _fed(self):
        return self._value

    def numpy(self):
        """A tensor's elements, as an array that shares them."""
        return self._tensor()

    def data_ptr(self):
        return self._tensor().ctypes.data

    def device_name(self):
        return "cpu"

    def shape(self):
        return list(self._tensor().shape)

    def element_type(self):
        """The number in TensorProto.DataType."""
        return self._number or _dtypes.number_of(self._tensor().dtype)

    def data_type(self):
        """`tensor(float)`."""
        return _type_text(self._value, self._number)

    def tensor_size_in_bytes(self):
        return self._tensor().nbytes

    def has_value(self):
        return self._value is not None

    def is_tensor(self):
        return isinstance(self._value, np.ndarray)

    def is_sparse_tensor(self):
        return False

    def as_sparse_tensor(self):
        raise C._failed("the value is %s: tensors are dense here" % self.data_type())

    def is_tensor_sequence(self):
        return isinstance(self._value, list)

    def update_inplace(self, data):
        """Copies the elements of an array, or of an OrtValue, here; shape and type stay."""
        data = data.numpy() if isinstance(data, OrtValue) else data
        if data.shape != self._tensor().shape or data.dtype != self._tensor().dtype:
            raise RuntimeError(
                "update_inplace: %s%s does not fit %s%s"
                % (data.dtype, list(data.shape), self._tensor().dtype, self.shape())
            )
        self._tensor()[...] = data


def _type_text(value, number=0):
    if isinstance(value, np.ndarray):
        return "tensor(%s)" % _dtypes.NAMES.get(
            number or _dtypes.number_of(value.dtype), value.dtype
        )
    if isinstance(value, list):
        return "seq(%s)" % (_type_text(value[0]) if value else "")
    if isinstance(value, dict):
        key, item = next(iter(value.items()), (0, 0.0))
        kinds = {str: "string", int: "int64", float: "float"}
        inside = kinds.get(type(item)) or _type_text(item)
        return "map(%s,tensor(%s))" % (kinds.get(type(key), "int64"), inside)
    return "optional"


def _memory_array(element_type, shape, address):
    """An array over memory that somebody else keeps."""
    dtype = (
        _dtypes.dtype_of(element_type) if isinstance(element_type, int) else np.dtype(element_type)
    )
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.ndarray(tuple(shape), dtype, (ctypes.c_char * size).from_address(address))


class IOBinding:
    """Inputs and outputs of a session that are set before it runs. Not thread-safe."""

    def __init__(self, session):
        self._session, self._inputs, self._outputs, self._results = session, {}, {}, []

    def _check_name(self, name, known):
        if name not in known:
            raise RuntimeError("Failed to find NodeArg with name: %s in the def list" % name)

    def bind_cpu_input(self, name, arr_on_cpu):
        self._check_name(name, self._session._engine.types)
        if not isinstance(arr_on_cpu, np.ndarray):
            raise RuntimeError("Unable to create OrtValue from the given python object")
        self._inputs[name] = arr_on_cpu

    def bind_input(self, name, device_type, device_id, element_type, shape, buffer_ptr):
        """Memory of the caller, who keeps it."""
        _check_device(device_type)
        self._check_name(name, self._session._engine.types)
        self._inputs[name] = _memory_array(element_type, shape, buffer_ptr)

    def bind_ortvalue_input(self, name, ortvalue):
        self._check_name(name, self._session._engine.types)
        self._inputs[name] = ortvalue._fed()

    def bind_output(
        self, name, device_type="cpu", device_id=0, element_type=None, shape=None, buffer_ptr=None
    ):
        """Where an output goes: memory of the caller, or by default a value of its own."""
        _check_device(device_type)
        self._outputs[name] = None
        if buffer_ptr is not None:
            self._outputs[name] = OrtValue(_memory_array(element_type, shape, buffer_ptr))

    def bind_ortvalue_output(self, name, ortvalue):
        self._outputs[name] = ortvalue

    def synchronize_inputs(self):
        """Memory of the CPU is always in step."""

    def synchronize_outputs(self):
        """Memory of the CPU is always in step."""

    def _run(self, run_options):
        if not self._outputs:
            raise RuntimeError("Error in execution: At least one output should be requested.")
        session, options = self._session, None if run_options is None else _known(run_options)
        if session._fixed:
            session._check_fixed(self._inputs)
        targets = list(self._outputs.values())
        arrays = [target._value if target and target.is_tensor() else None for target in targets]
        made = session._engine.run_into(tuple(self._outputs), self._inputs, arrays, options)
        self._results = []
        for name, target, array, value in zip(self._outputs, targets, arrays, made):
            if value is not WRITTEN and array is not None and isinstance(value, np.ndarray):
                _copy_into(name, target, value)
                value = WRITTEN
            self._results.append(target if value is WRITTEN else OrtValue(value))

    def get_outputs(self):
        return list(self._results)

    def get_outputs_as_ortvaluevector(self):
        return list(self._results)

    def copy_outputs_to_cpu(self):
        return [value._fed() for value in self._results]

    def clear_binding_inputs(self):
        self._inputs = {}

    def clear_binding_outputs(self):
        self._outputs, self._results = {}, []


def _copy_into(name, target, value):
    bound = target.numpy()
    if bound.shape != value.shape or bound.dtype != value.dtype:
        raise C._invalid(
            "output %s is %s%s, the memory bound to it %s%s"
            % (name, value.dtype, list(value.shape), bound.dtype, list(bound.shape))
        )
    bound[...] = value
