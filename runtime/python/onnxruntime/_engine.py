# SPDX-License-Identifier: Apache-2.0
"""A model made ready to run: the objects of the library, and one inference over them."""

import ctypes
import os
import struct
import warnings
from ctypes import c_char, c_char_p, c_int64, c_void_p

import numpy as np

from . import _dtypes, _fast, _values
from ._errors import Fail, Failure, InvalidArgument, error, load_error, run_error
from ._library import Options, View, lib, make, take_text

INPUTS, OUTPUTS, OVERRIDABLE = range(3)
WRITTEN = object()
TERMINATED = "Exiting due to terminate flag being set to true."
_KEPT = 256  # of names and shapes seen

_VIEW = struct.Struct("@PPPNNii6q")
assert _VIEW.size == ctypes.sizeof(View)
_unpack, _size = _VIEW.unpack_from, _VIEW.size
_fill = struct.Struct("@PPPNNii").pack_into
_run, _run_with = lib.session_run_views, lib.session_run_views_with
_NO_PLACE = (0, 0, 0, 0, 0, 0, 0)
_Nothing = c_char * 0
_addressof = ctypes.addressof
_ndarray = np.ndarray
_Owner = _values.Owner
_numbers = _dtypes.NUMBERS
_dtypes_of = _dtypes.DTYPES


class Cancel:
    """Ends calls of the library while they go on; any thread may set it."""

    __slots__ = ("handle",)

    def __init__(self):
        status, self.handle = make(lib.cancel_create)
        if status:
            raise run_error(Failure(status))

    def __del__(self, release=lib.cancel_release):
        release(getattr(self, "handle", None))

    def set(self, cancelled):
        lib.cancel_set(self.handle, int(bool(cancelled)))


class Port:
    """A name and type of an input or output."""

    __slots__ = ("name", "type")

    def __init__(self, model, port, index):
        self.name = lib.model_name(model, port, index).decode()
        self.type = _values.Type(lib.model_type(model, port, index))


class _Names:
    """An array of C strings."""

    __slots__ = ("array", "address", "count")

    def __init__(self, names):
        if any("\0" in name for name in names):
            raise error(InvalidArgument, "a name with a zero byte: %r" % (names,))
        self.array = (c_char_p * len(names))(*[name.encode() for name in names])
        self.address = _addressof(self.array)
        self.count = len(names)


class _Frame:
    """The views of one call."""

    __slots__ = ("inputs", "inputs_at", "outputs", "outputs_at", "room")

    def __init__(self, inputs, outputs):
        self.inputs = ctypes.create_string_buffer(max(1, inputs * _size))
        self.outputs = ctypes.create_string_buffer(max(1, outputs * _size))
        self.inputs_at = _addressof(self.inputs)
        self.outputs_at = _addressof(self.outputs)
        self.room = (inputs, outputs)


class _Shapes(dict):
    """Shapes as arrays of C, with the address."""

    def __missing__(self, shape):
        array = (c_int64 * max(1, len(shape)))(*shape)
        entry = (_addressof(array), array)
        if len(self) < _KEPT:
            self[shape] = entry
        return entry


class Engine:
    """Thread-safe."""

    def __init__(self, source, threads=0, rewrite=True, profile=False, limits=(), cancel=None):
        """`source` is a path or the bytes of a model; `limits` are names and values of the
        library's options, `cancel` ends the making of the session."""
        self._model = self._session = None
        if isinstance(source, str) and "\0" in source:
            raise ValueError("embedded null byte in the path %r" % source)
        if isinstance(source, bytes):
            status, self._model = make(lib.model_parse, source, len(source))
        else:
            status, self._model = make(lib.model_load, os.fsencode(source))
        what = "" if isinstance(source, bytes) else source
        if status:
            raise load_error(Failure(status), what)
        options = Options()
        lib.session_options_init_sized(ctypes.byref(options), ctypes.sizeof(options))
        options.threads, options.no_passes, options.profile = (
            threads,
            int(not rewrite),
            int(profile),
        )
        for name, value in limits:
            setattr(options, name, value)
        options.cancel = cancel.handle if cancel else None
        status, self._session = make(lib.session_create, self._model, ctypes.byref(options))
        if status:
            raise load_error(Failure(status), what)
        warning = lib.session_warning(self._session)
        if warning:
            warnings.warn(warning.decode("utf-8", "replace"), RuntimeWarning, stacklevel=4)
        self.inputs, self.outputs, self.overridable = (self._ports(port) for port in range(3))
        self.types = {port.name: port.type for port in self.inputs + self.overridable}
        self.output_names = {port.name for port in self.outputs}
        self._made = {port.name: port.type for port in self.outputs}
        self.required = [p.name for p in self.inputs if p.type.kind != _values.OPTIONAL]
        self._wanted = {(): _Names([port.name for port in self.outputs])}
        self._given, self._calls, self._shapes, self._frames = {}, {}, _Shapes(), []

    def __del__(self, release_session=lib.session_release, release_model=lib.model_release):
        release_session(self._session)
        release_model(self._model)

    def _ports(self, port):
        return [Port(self._model, port, i) for i in range(lib.model_count(self._model, port))]

    def text(self, field):
        return lib.model_text_of(self._model, field).decode("utf-8", "replace")

    @property
    def version(self):
        return lib.model_version(self._model)

    @property
    def metadata(self):
        def decode(function, index):
            return function(self._model, index).decode("utf-8", "replace")

        return {
            decode(lib.model_metadata_key, i): decode(lib.model_metadata_value, i)
            for i in range(lib.model_metadata_count(self._model))
        }

    def profile(self):
        """JSON text of what each node took."""
        status, text = make(lib.session_profile, self._session)
        if status:
            raise run_error(Failure(status))
        return take_text(text).decode()

    def _names_of(self, names, feeds=None):
        """Names as C has them; `feeds` where they are of inputs, which must be complete."""
        if feeds is not None:
            missing = [name for name in self.required if name not in feeds]
            if missing:
                raise ValueError(
                    "Required inputs (%s) are missing from input feed (%s)."
                    % (missing, list(names))
                )
        made = _Names(names)
        kept = self._wanted if feeds is None else self._given
        if len(kept) < _KEPT:
            kept[names] = made
        return made

    @property
    def memory(self):
        """Bytes that count towards the session's memory limit now."""
        return lib.session_memory(self._session)

    def run(self, wanted, feeds, options=None):
        """The outputs, by name in a tuple `wanted` or all where it is empty; `feeds` is a dict,
        `options` what the library knows of a run's options."""
        names = tuple(feeds.keys())
        call = self._calls.get((names, wanted))
        if call is not None and options is None and type(feeds) is dict:
            made = call.run(feeds)
            if type(made) is list:
                return made
            if type(made) is tuple:
                return _unwrapped(made[0])
            if made is not None:
                raise self._failure(Failure(made), feeds)
        try:
            given = self._given.get(names) or self._names_of(names, feeds)
            chosen = self._wanted.get(wanted) or self._names_of(wanted)
        except AttributeError:
            raise TypeError("run(): names of inputs and outputs are str") from None
        if call is None and _fast.make_run is not None and len(self._calls) < _KEPT:
            self._calls[names, wanted] = _fast.Call(self._session, given, chosen)
        inputs, outputs = given.count, chosen.count
        frame = self._frame(inputs, outputs)
        kept = self._feed(frame, feeds)
        arguments = (
            self._session,
            given.address,
            frame.inputs_at,
            inputs,
            chosen.address,
            outputs,
        )
        if options is None:
            status = _run(*arguments, frame.outputs_at)
        else:
            status = _run_with(*arguments, ctypes.byref(options), frame.outputs_at)
        del kept
        if status:
            raise self._failure(Failure(status), feeds)
        results = _results(frame.outputs, outputs)
        self._frames.append(frame)
        return results

    def run_into(self, wanted, feeds, targets, options=None):
        """As `run`, with an array for each output, or None: an output is written there where the
        library can, and then WRITTEN stands for it in the results."""
        names = tuple(feeds)
        given = self._given.get(names) or self._names_of(names, feeds)
        chosen = self._wanted.get(wanted) or self._names_of(wanted)
        frame = self._frame(given.count, chosen.count)
        kept = self._feed(frame, feeds)
        into = [self._place(name, array, kept) for name, array in zip(wanted, targets)]
        for index, place in enumerate(into):
            _fill(frame.outputs, index * _size, *(place or _NO_PLACE))
        status = lib.session_run_into(
            self._session,
            given.address,
            frame.inputs_at,
            given.count,
            chosen.address,
            chosen.count,
            options and ctypes.byref(options),
            frame.outputs_at,
        )
        del kept
        if status:
            raise self._failure(Failure(status), feeds)
        results = _results(frame.outputs, chosen.count, into)
        self._frames.append(frame)
        return results

    def _place(self, name, array, kept):
        """The view of an array in which the library can write an output; None if it cannot. What
        is added to `kept` must live until the call is over."""
        declared = self._made.get(name)
        if array is None or declared is None or declared.kind != _values.TENSOR:
            return None
        number, flags = _numbers.get(array.dtype), array.flags
        if number != declared.number or not (
            flags.c_contiguous and flags.aligned and flags.writeable and array.dtype.isnative
        ):
            return None
        dims = self._shapes[array.shape]
        kept.append(dims)
        data = array.__array_interface__["data"][0]
        return (0, data, dims[0], array.ndim, array.nbytes, _values.TENSOR, number)

    def _frame(self, inputs, outputs):
        """One that has room for them."""
        try:
            frame = self._frames.pop()
        except IndexError:
            return _Frame(inputs, outputs)
        if frame.room[0] < inputs or frame.room[1] < outputs:
            return _Frame(inputs, outputs)
        return frame

    def _feed(self, frame, feeds):
        """Fills the input views; what it returns must live until the call is over."""
        buffer, shapes, kept, at = frame.inputs, self._shapes, [], 0
        for name, value in feeds.items():
            number = _numbers.get(value.dtype) if type(value) is _ndarray else None
            if number is None:
                self._feed_other(buffer, at, name, value, kept)
                at += _size
                continue
            try:
                data = _addressof(_Nothing.from_buffer(value))
                if data % value.itemsize:
                    raise ValueError
            except (TypeError, ValueError, BufferError):
                value = _values.plain_array(value, number)
                data = value.__array_interface__["data"][0]
                kept.append(value)
            shape = value.shape
            dims = shapes[shape]
            if len(shapes) >= _KEPT:
                kept.append(dims)
            _fill(buffer, at, 0, data, dims[0], len(shape), value.nbytes, 1, number)
            at += _size
        return kept

    def _feed_other(self, buffer, at, name, value, kept):
        """The same for what is no array of numpy's own types: lists, dicts, text, ml_dtypes."""
        declared = self.types.get(name)
        if declared is None:
            raise error(InvalidArgument, self._unknown(name), "Input.Unknown")
        if value is None and declared.kind != _values.OPTIONAL:
            raise error(InvalidArgument, "Missing Input: %s is None" % name, "Input.Missing")
        made = _values.input_value(value, declared, name)
        if isinstance(made, _values.Owner):
            kept.append(made)
            _fill(buffer, at, made.handle, 0, 0, 0, 0, 0, 0)
            return
        number = _dtypes.number_of(made.dtype)
        if not number:
            raise RuntimeError("numpy type %s of input '%s' has no ONNX type" % (made.dtype, name))
        plain = _values.plain_array(made, number)
        dims = self._shapes[made.shape]
        kept += (plain, dims)
        data = plain.__array_interface__["data"][0]
        _fill(buffer, at, 0, data, dims[0], made.ndim, plain.nbytes, 1, number)

    def _unknown(self, name):
        return "Invalid input name: %s; the model's inputs are %s" % (name, ", ".join(self.types))

    def _failure(self, failure, feeds):
        """The exception for a run that failed, in the words that ONNX Runtime begins with."""
        if failure.id == "Run.Cancelled":
            return error(Fail, TERMINATED, failure.id)
        known = _WORDS.get(failure.id)
        words = known(self, feeds) if known else ""
        if words:
            failure.message = words + " (" + failure.message + ")"
        return run_error(failure)


def _unwrapped(made):
    """The outputs of a fast run, of which tuples are the fields of views."""
    for index, item in enumerate(made):
        if type(item) is tuple:
            # Its value is owned before anything else can fail.
            made[index] = (_Owner(item[0]),) + item[1:]
    return [_values.from_view(*item) if type(item) is tuple else item for item in made]


def _results(buffer, count, into=()):
    """Python objects of the output views; their memory belongs to the objects. WRITTEN for those
    that are in memory of the caller, of which there is a view in `into`."""
    results = []
    try:
        for at in range(0, count * _size, _size):
            if into and into[at // _size]:
                results.append(WRITTEN)
                continue
            value, data, dims, rank, size, kind, number, *head = _unpack(buffer, at)
            owner = _Owner(value)
            dtype = _dtypes_of.get(number)
            if kind == 1 and size and rank <= 6 and dtype is not None:
                memory = (c_char * size).from_address(data)
                memory.owner = owner
                results.append(_ndarray(head[:rank], dtype, memory))
            else:
                results.append(_values.from_view(owner, data, dims, rank, size, kind, number))
    except BaseException:
        for rest in range(at + _size, count * _size, _size):
            lib.value_release(_unpack(buffer, rest)[0])
        raise
    return results


def _wrong_type(engine, feeds):
    for name, value in feeds.items():
        declared = engine.types.get(name)
        if declared is None or declared.kind != _values.TENSOR or not hasattr(value, "dtype"):
            continue
        number = _dtypes.number_of(value.dtype)
        if number != declared.number:
            return "Unexpected input data type. Actual: (tensor(%s)) , expected: (%s)" % (
                _dtypes.NAMES.get(number, value.dtype),
                declared.text,
            )
    return ""


def _wrong_shape(engine, feeds):
    for name, value in feeds.items():
        declared = engine.types.get(name)
        if declared is None or declared.rank < 0 or not hasattr(value, "shape"):
            continue
        if len(value.shape) != declared.rank:
            return "Invalid rank for input: %s Got: %d Expected: %d" % (
                name,
                len(value.shape),
                declared.rank,
            )
        for index, (got, wanted) in enumerate(zip(value.shape, declared.shape)):
            if isinstance(wanted, int) and got != wanted:
                return "Got invalid dimensions for input: %s index: %d Got: %d Expected: %d" % (
                    name,
                    index,
                    got,
                    wanted,
                )
    return ""


def _unknown_input(engine, feeds):
    return "Invalid input name: " + ", ".join(name for name in feeds if name not in engine.types)


_WORDS = {
    "Input.WrongType": _wrong_type,
    "Input.WrongShape": _wrong_shape,
    "Input.Unknown": _unknown_input,
    "Output.Unknown": lambda engine, feeds: "Invalid output name",
}
