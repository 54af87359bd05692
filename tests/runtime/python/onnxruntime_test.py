# SPDX-License-Identifier: Apache-2.0
"""The module `onnxruntime`: what existing code calls, value by value and error by error."""

import contextlib
import io
import logging
import os
import pathlib
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import unittest
import warnings

from support import skip_without

skip_without("numpy")
import numpy as np
import onnxruntime as rt
import tiny_onnx as t
from onnxruntime.capi import onnxruntime_pybind11_state as state
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    NotImplemented,
)

X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
Y = np.array([[10, 20]], np.float32)
SUM = X + Y


def identity(dtype, shape=("N",)):
    shape = None if shape is None else list(shape)
    return rt.InferenceSession(t.same("Identity", dtype, shape))


class Maps(unittest.TestCase):
    """Sequences of maps, as ZipMap gives them, and maps as inputs."""

    @staticmethod
    def load(name, options=None):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models")
        return rt.InferenceSession(os.path.join(folder, name), options)

    def test_zip_map_gives_a_list_of_dicts(self):
        session = self.load("zip_map.onnx")
        self.assertEqual(session.get_outputs()[1].type, "seq(map(string,tensor(float)))")
        x = np.array([[3, 1], [1, 4]], np.float32)
        for _ in range(2):
            labels, maps = session.run(None, {"x": x})
            self.assertEqual(labels.tolist(), ["tea", "coffee"])
            self.assertEqual(maps, [{"coffee": 1.5, "tea": 3.0}, {"coffee": 4.5, "tea": 1.0}])
            self.assertEqual([list(one) for one in maps], [["coffee", "tea"]] * 2)
            self.assertIsInstance(maps[0]["tea"], float)
            self.assertEqual(session.run(["maps"], {"x": x[:0]}), [[]])

    def test_a_dict_is_an_input(self):
        session = self.load("dictionary.onnx")
        [y] = session.run(None, {"d": {"c": 3.0, "a": 2.0, "other": 9.0}})
        np.testing.assert_array_equal(y, np.array([[2, -2, 4]], np.float32))


class Documents(unittest.TestCase):
    """The calls of the user's documents and notebooks."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "model.onnx")
        with open(self.path, "wb") as file:
            file.write(t.add())

    def test_as_the_documents_do(self):
        session = rt.InferenceSession(self.path)
        session.get_modelmeta()
        first = session.get_inputs()[0].name
        output = session.get_outputs()[0].name
        self.assertEqual((first, output), ("x", "z"))
        for wanted in ([], None, ["z"], ("z",)):
            results = session.run(wanted, {"x": X, "y": Y})
            self.assertIsInstance(results, list)
            np.testing.assert_array_equal(results[0], SUM)

    def test_second_positional_is_options(self):
        session = rt.InferenceSession(self.path, None)
        self.assertIsNone(session.get_session_options())
        options = rt.SessionOptions()
        self.assertIs(rt.InferenceSession(self.path, options).get_session_options(), options)

    def test_sources(self):
        for source in (self.path, pathlib.Path(self.path), t.add()):
            np.testing.assert_array_equal(
                rt.InferenceSession(source).run(None, {"x": X, "y": Y})[0], SUM
            )
        for source in (3, None, bytearray(t.add()), memoryview(t.add())):
            with self.assertRaisesRegex(TypeError, "Unable to load from type"):
                rt.InferenceSession(source)

    def test_a_changed_file_is_read_again(self):
        def runs_to(expected):
            got = rt.InferenceSession(self.path).run(None, {"x": X, "y": Y})[0]
            np.testing.assert_array_equal(got, expected)

        os.utime(self.path, (1, 1))
        runs_to(SUM)
        runs_to(SUM)
        other = t.add().replace(b"Add", b"Sub")
        with open(self.path, "wb") as file:
            file.write(other)
        runs_to(X - Y)
        os.utime(self.path, (1, 1))
        runs_to(X - Y)

    def test_version_and_devices(self):
        self.assertRegex(rt.__version__, r"^\d+\.\d+\.\d+$")
        self.assertEqual(rt.get_device(), "CPU")
        self.assertIn("CPUExecutionProvider", rt.get_available_providers())
        self.assertIn("Slipway", rt.get_build_info())


class Importing(unittest.TestCase):
    def imported(self, code, **environment):
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60,
        )

    def test_without_numpy(self):
        done = self.imported("import sys; sys.modules['numpy'] = None; import onnxruntime")
        self.assertEqual(done.returncode, 1)
        last = done.stderr.strip().split("\n")[-1]
        self.assertRegex(last, "^ImportError: onnxruntime needs numpy.*fix: pip install numpy")

    def test_without_the_library(self):
        done = self.imported("import onnxruntime", SLIPWAY_LIBRARY="/nowhere/libslipway.so.1")
        last = done.stderr.strip().split("\n")[-1]
        self.assertRegex(last, "^ImportError: .*/nowhere/libslipway.so.1.*SLIPWAY_LIBRARY")

    def test_another_library(self):
        done = self.imported("import onnxruntime", SLIPWAY_LIBRARY="libc.so.6")
        last = done.stderr.strip().split("\n")[-1]
        self.assertRegex(last, "^ImportError: onnxruntime: libc.so.6 .*slipway_")


class KeptSessions(unittest.TestCase):
    """Scripts that make a session for every request get the engine they had."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(os.environ.pop, "SLIPWAY_SESSION_CACHE_MB", None)

    def write(self, name, data, age=10):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def engine(self, path, options=None):
        return rt.InferenceSession(path, options)._engine

    def test_taken_again(self):
        path = self.write("a.onnx", t.add())
        first = self.engine(path)
        self.assertIs(self.engine(path), first)
        other = rt.SessionOptions()
        other.intra_op_num_threads = 1
        self.assertIsNot(self.engine(path, other), first)
        self.assertIs(self.engine(path), first)
        profiled = rt.SessionOptions()
        profiled.enable_profiling = True
        self.assertIsNot(self.engine(path, profiled), self.engine(path, profiled))

    def test_not_of_a_file_that_may_still_change(self):
        path = self.write("a.onnx", t.add(), age=0)
        self.assertIsNot(self.engine(path), self.engine(path))

    def test_a_replaced_file_is_another(self):
        path = self.write("a.onnx", t.add())
        first = self.engine(path)
        os.replace(self.write("b.onnx", t.add()), path)
        self.assertIsNot(self.engine(path), first)

    def test_limits(self):
        os.environ["SLIPWAY_SESSION_CACHE_MB"] = "0"
        path = self.write("a.onnx", t.add())
        self.assertIsNot(self.engine(path), self.engine(path))
        os.environ["SLIPWAY_SESSION_CACHE_MB"] = "1"
        big = t.model(
            [t.node("Add", ["x", "w"], ["y"])],
            [t.value("x", t.tensor_type(t.FLOAT, [150000]))],
            [t.value("y", t.tensor_type(t.FLOAT, [150000]))],
            [t.tensor("w", t.FLOAT, [150000], bytes(600000))],
        )
        first, second = self.write("1.onnx", big), self.write("2.onnx", big)
        made = self.engine(first)
        self.assertIs(self.engine(first), made)
        self.engine(second)
        self.assertIsNot(self.engine(first), made)

    def test_not_where_data_lies_elsewhere(self):
        path = self.write(
            "a.onnx",
            t.model(
                [t.node("Identity", ["x"], ["y"])],
                [t.value("x", t.tensor_type(t.FLOAT, [1]))],
                [t.value("y", t.tensor_type(t.FLOAT, [1]))],
                metadata=[("location", "elsewhere")],
            ),
        )
        self.assertIsNot(self.engine(path), self.engine(path))


class Descriptions(unittest.TestCase):
    def test_ports(self):
        session = rt.InferenceSession(t.add())
        x, y = session.get_inputs()
        self.assertEqual((x.name, x.shape, x.type), ("x", ["N", 2], "tensor(float)"))
        self.assertEqual((y.name, y.shape), ("y", [1, 2]))
        self.assertEqual(session.get_overridable_initializers(), [])
        nameless = rt.InferenceSession(t.same("Relu", t.FLOAT, [None, 2]))
        self.assertEqual(nameless.get_inputs()[0].shape, [None, 2])
        self.assertEqual(
            rt.InferenceSession(t.same("Relu", t.FLOAT, None)).get_inputs()[0].shape, []
        )

    def test_types(self):
        names = {
            t.FLOAT: "float",
            t.DOUBLE: "double",
            t.INT64: "int64",
            t.STRING: "string",
            t.BOOL: "bool",
            t.FLOAT16: "float16",
            t.UINT8: "uint8",
        }
        for dtype, name in names.items():
            self.assertEqual(identity(dtype).get_inputs()[0].type, "tensor(%s)" % name)
        self.assertEqual(sequence_length().get_inputs()[0].type, "seq(tensor(float))")

    def test_metadata(self):
        meta = rt.InferenceSession(t.add()).get_modelmeta()
        self.assertEqual(meta.producer_name, "tests")
        self.assertEqual(meta.graph_name, "tiny")
        self.assertEqual(
            (meta.domain, meta.description, meta.version), ("org.test", "a description", 3)
        )
        self.assertEqual(meta.custom_metadata_map, {"stage": "test", "überschrift": "ja"})

    def test_overridable_initializers(self):
        ports = [
            t.value("x", t.tensor_type(t.FLOAT, [2])),
            t.value("w", t.tensor_type(t.FLOAT, [2])),
        ]
        weights = t.tensor("w", t.FLOAT, [2], struct.pack("<2f", 1, 2))
        session = rt.InferenceSession(
            t.model(
                [t.node("Add", ["x", "w"], ["y"])],
                ports,
                [t.value("y", t.tensor_type(t.FLOAT, [2]))],
                [weights],
            )
        )
        self.assertEqual([arg.name for arg in session.get_inputs()], ["x"])
        self.assertEqual([arg.name for arg in session.get_overridable_initializers()], ["w"])
        x = np.zeros(2, np.float32)
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], [1, 2])
        np.testing.assert_array_equal(session.run(None, {"x": x, "w": x + 7})[0], [7, 7])
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], [1, 2])


def sequence_length():
    return rt.InferenceSession(
        t.model(
            [t.node("SequenceLength", ["x"], ["n"])],
            [t.value("x", t.sequence_type(t.tensor_type(t.FLOAT, ["N"])))],
            [t.value("n", t.tensor_type(t.INT64, []))],
        )
    )


class Values(unittest.TestCase):
    def test_every_type_both_ways(self):
        for text in ("f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"):
            array = np.array([0, 1, 1], np.dtype(text))
            number = state_number(array.dtype)
            session = identity(number)
            for _ in range(3):  # the first is run in another way than those after it
                [got] = session.run(None, {"x": array})
                self.assertEqual(got.dtype, array.dtype)
                np.testing.assert_array_equal(got, array)

    def test_sizes(self):
        session = identity(t.FLOAT, None)
        for shape in ((), (0,), (3, 0, 2), (1,) * 8, (2, 3, 4), (1 << 15,), ()):
            array = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
            [got] = session.run(None, {"x": array})
            self.assertEqual((got.shape, got.dtype), (array.shape, array.dtype))
            np.testing.assert_array_equal(got, array)

    @unittest.skipIf(sysconfig.get_config_var("Py_GIL_DISABLED"), "not for this interpreter")
    def test_arrays_that_are_laid_out_otherwise(self):
        from onnxruntime import _fast

        if _fast.make_run is None:
            self.skipTest("the fast way is not taken")
        self.assertIsNotNone(_fast._numpy_empty)
        known, _fast._numpy_empty = _fast._numpy_empty, None
        try:
            self.test_every_type_both_ways()
            self.test_layouts()
            self.test_sizes()
        finally:
            _fast._numpy_empty = known

    def test_outputs_are_the_callers_own(self):
        session = identity(t.FLOAT)
        x = np.ones(3, np.float32)
        outputs = [session.run(None, {"x": x})[0] for _ in range(4)]
        for index, output in enumerate(outputs):
            output[:] = index
        self.assertEqual([output[0] for output in outputs], [0, 1, 2, 3])
        self.assertEqual(x.tolist(), [1, 1, 1])

    def test_arrays_are_not_kept(self):
        session = identity(t.FLOAT)
        x = np.ones(3, np.float32)
        before = sys.getrefcount(x)
        for _ in range(10):
            session.run(None, {"x": x})
        self.assertEqual(sys.getrefcount(x), before)
        types = sys.getrefcount(x.dtype)
        outputs = [session.run(None, {"x": x}) for _ in range(100)]
        del outputs
        self.assertLess(abs(sys.getrefcount(x.dtype) - types), 50)

    def test_layouts(self):
        session = rt.InferenceSession(t.add())
        wanted = {"y": Y}
        read_only = X.copy()
        read_only.flags.writeable = False
        unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 2)
        for name, x in {
            "strided": np.repeat(X, 2, axis=1)[:, ::2],
            "transposed": np.asfortranarray(X),
            "reversed": X[::-1, ::-1][::-1, ::-1],
            "big-endian": X.astype(">f4"),
            "read-only": read_only,
            "unaligned": unaligned,
            "subclass": np.ma.array(X),
            "list": X.tolist(),
        }.items():
            with self.subTest(name):
                np.testing.assert_array_equal(session.run(None, {"x": x, **wanted})[0], SUM)

    @unittest.skipIf(sysconfig.get_config_var("Py_GIL_DISABLED"), "not for this interpreter")
    def test_the_fast_way_is_taken(self):
        from onnxruntime import _fast

        self.assertEqual(_fast.make_run is None, os.environ.get("SLIPWAY_PYTHON_FAST") == "0")

    def test_many_ports(self):
        names = ["x%d" % i for i in range(40)]
        port = t.tensor_type(t.FLOAT, [1])
        outputs = ["y%d" % i for i in range(40)]
        nodes = [t.node("Neg", [a], [b]) for a, b in zip(names, outputs)]
        session = rt.InferenceSession(
            t.model(nodes, [t.value(n, port) for n in names], [t.value(n, port) for n in outputs])
        )
        feeds = {name: np.array([i], np.float32) for i, name in enumerate(names)}
        for _ in range(3):
            got = [float(y[0]) for y in session.run(None, feeds)]
            self.assertEqual(got, [-float(i) for i in range(40)])
            self.assertEqual(float(session.run(["y7"], feeds)[0][0]), -7)

    def test_the_order_of_feeds_does_not_matter(self):
        session = rt.InferenceSession(t.add().replace(b"Add", b"Sub"))
        for _ in range(3):
            np.testing.assert_array_equal(session.run(None, {"x": X, "y": Y})[0], X - Y)
            np.testing.assert_array_equal(session.run(None, {"y": Y, "x": X})[0], X - Y)

    def test_empty_and_scalar(self):
        [got] = identity(t.FLOAT, ("N", 2)).run(None, {"x": np.zeros((0, 2), np.float32)})
        self.assertEqual((got.shape, got.dtype), ((0, 2), np.float32))
        session = identity(t.INT64, ())
        for scalar in (np.array(7), np.int64(7)):
            [got] = session.run(None, {"x": scalar})
            self.assertEqual((got.shape, int(got)), ((), 7))

    def test_results_are_the_callers(self):
        session = rt.InferenceSession(t.add())
        [first] = session.run(None, {"x": X, "y": Y})
        first[:] = 0
        self.assertTrue(first.flags.writeable)
        np.testing.assert_array_equal(session.run(None, {"x": X, "y": Y})[0], SUM)
        given = np.arange(4, dtype=np.float32)
        [same] = identity(t.FLOAT).run(None, {"x": given})
        same[:] = -1
        np.testing.assert_array_equal(given, [0, 1, 2, 3])

    def test_results_outlive_the_session(self):
        big = np.arange(300000, dtype=np.float32)
        session = identity(t.FLOAT)
        [got] = session.run(None, {"x": big})
        part = got[1000:2000]
        del session, got
        np.testing.assert_array_equal(part, big[1000:2000])

    def test_strings(self):
        session = identity(t.STRING, None)
        for given, expected in (
            (np.array(["a", "bé", ""]), ["a", "bé", ""]),
            (np.array(["a", "日本語"], object), ["a", "日本語"]),
            (np.array([b"a", "ü".encode()]), ["a", "ü"]),
            (np.array(["a", 1, None], object), ["a", "1", "None"]),
            (np.array(["a\0b"], object), ["a\0b"]),
            (["x", "y"], ["x", "y"]),
            (np.array([], object), []),
            (np.array(["¢", "€", "🙂", "a\0b", ""]), ["¢", "€", "🙂", "a\0b", ""]),
            (np.array([["a", "b"], ["c" * 70000, "d"]], object)[:, :1], [["a"], ["c" * 70000]]),
            (np.array([["a", "b"], ["c", "d"]])[::-1], [["c", "d"], ["a", "b"]]),
            (np.array("alone"), "alone"),
            (np.array(["ab", "c"], ">U2"), ["ab", "c"]),
        ):
            for _ in range(2):  # the second run of these names takes a shorter way
                [got] = session.run(None, {"x": given})
                self.assertEqual((got.dtype, got.tolist()), (np.dtype(object), expected))

    def test_code_points_that_utf8_lacks(self):
        session = identity(t.STRING)
        session.run(None, {"x": np.array(["a"])})
        for given in (np.array(["\ud800"]), np.array(["\ud800"], object)):
            for _ in range(2):
                with self.assertRaises(UnicodeEncodeError):
                    session.run(None, {"x": given})

    def test_bytes_that_are_no_text(self):
        with self.assertRaises(UnicodeDecodeError):
            identity(t.STRING).run(None, {"x": np.array([b"\xff\xfe"])})

    def test_sequences(self):
        session = rt.InferenceSession(
            t.model(
                [t.node("SequenceConstruct", ["x", "x"], ["y"])],
                [t.value("x", t.tensor_type(t.FLOAT, ["N"]))],
                [t.value("y", t.sequence_type(t.tensor_type(t.FLOAT, ["N"])))],
            )
        )
        [[first, second]] = session.run(None, {"x": X[0]})
        np.testing.assert_array_equal(first, X[0])
        np.testing.assert_array_equal(second, X[0])
        length = sequence_length()
        self.assertEqual(length.run(None, {"x": [X[0], X[1]]})[0], 2)
        self.assertEqual(length.run(None, {"x": []})[0], 0)
        with self.assertRaisesRegex(RuntimeError, "Input is not a tensor"):
            length.run(None, {"x": [[1.0]]})
        with self.assertRaises(InvalidArgument):
            length.run(None, {"x": [X[0].astype(np.float64)]})

    def test_maps_both_ways(self):
        from onnxruntime import _values

        class Declared:
            kind, text = _values.MAP, "map"

            def __init__(self, keys, items):
                self.number = keys
                self.element = items

        class Number:
            def __init__(self, number):
                self.number, self.kind = number, _values.TENSOR

        for keys, items, given in (
            (t.INT64, t.FLOAT, {0: 0.25, 5: 0.75}),
            (t.STRING, t.FLOAT, {"cat": 0.5, "dög": 0.25}),
            (t.STRING, t.STRING, {"a": "b", "": "c"}),
            (t.INT64, t.DOUBLE, {}),
        ):
            owner = _values.input_value(given, Declared(keys, Number(items)), "x")
            self.assertEqual(_values.to_python(owner), given)
        arrays = {1: np.ones(3, np.float32), 2: np.zeros(2, np.float32)}
        back = _values.to_python(
            _values.input_value(arrays, Declared(t.INT64, Number(t.FLOAT)), "x")
        )
        np.testing.assert_array_equal(back[1], arrays[1])
        np.testing.assert_array_equal(back[2], arrays[2])

    def test_narrow_types_without_numpy_types(self):
        from onnxruntime import _dtypes

        for number in _dtypes.PACKED_BITS:
            dtype = _dtypes.dtype_of(number)
            low = -1 if number in _dtypes.SIGNED_PACKED else 0
            array = np.array([low, 1, 0, 1, 1], np.int8).astype(dtype)
            packed = _dtypes.pack(array, number)
            self.assertEqual(packed.size, -(-5 * _dtypes.PACKED_BITS[number] // 8))
            np.testing.assert_array_equal(_dtypes.unpack(packed, number, (5,)), array)


def state_number(dtype):
    from onnxruntime import _dtypes

    return _dtypes.number_of(dtype)


class Errors(unittest.TestCase):
    def setUp(self):
        self.session = rt.InferenceSession(t.add())

    def refused(self, kind, words, **feeds):
        with self.assertRaisesRegex(kind, words) as caught:
            self.session.run(None, feeds)
        self.assertNotIn("\n", str(caught.exception))
        return caught.exception

    def test_inputs(self):
        self.refused(ValueError, r"Required inputs \(\['y'\]\) are missing from input feed", x=X)
        self.refused(InvalidArgument, "INVALID_ARGUMENT : Invalid input name: w", x=X, y=Y, w=Y)
        wrong = self.refused(
            InvalidArgument,
            r"Actual: \(tensor\(double\)\) , expected: \(tensor\(float\)\)",
            x=X.astype(np.float64),
            y=Y,
        )
        self.assertEqual(wrong.id, "Input.WrongType")
        self.refused(InvalidArgument, "Invalid rank for input: x Got: 1 Expected: 2", x=X[0], y=Y)
        self.refused(
            InvalidArgument, "index: 1 Got: 3 Expected: 2", x=np.ones((3, 3), np.float32), y=Y
        )
        self.refused(RuntimeError, "Unable to handle object of type", x=1.0, y=Y)
        self.refused(RuntimeError, "single numpy array for input 'x'", x="text", y=Y)
        self.refused(RuntimeError, "single numpy array for input 'x'", x=((1.0, 2.0),), y=Y)
        self.refused(InvalidArgument, "Missing Input: x", x=None, y=Y)
        self.refused(RuntimeError, "datetime64", x=np.array([["2020-01-01"] * 2], "M8[D]"), y=Y)
        np.testing.assert_array_equal(self.session.run(None, {"x": X, "y": Y})[0], SUM)

    def test_calls(self):
        feeds = {"x": X, "y": Y}
        with self.assertRaisesRegex(InvalidArgument, "Invalid output name.*'nope'"):
            self.session.run(["nope"], feeds)
        for wanted in ("z", [1], [None]):
            with self.assertRaises(TypeError):
                self.session.run(wanted, feeds)
        with self.assertRaises(TypeError):
            self.session.run({1: X}, feeds)
        with self.assertRaises(AttributeError):
            self.session.run(None, [X, Y])
        with self.assertRaises(InvalidArgument):
            self.session.run(["z\0z"], feeds)
        with self.assertRaises(ValueError):
            rt.InferenceSession("model.onnx\0.txt")
        with self.assertRaises(TypeError):
            self.session.run(None, feeds, "options")

    def test_loading(self):
        port = t.tensor_type(t.FLOAT, [2])

        def relu(inputs=("x",), operator="Relu", output="y", opset=13, **more):
            return t.model(
                [t.node(operator, list(inputs), ["y"], **more)],
                [t.value("x", port)],
                [t.value(output, port)],
                opset=opset,
            )

        with tempfile.TemporaryDirectory() as folder:
            for source, kind in (
                (os.path.join(folder, "none.onnx"), NoSuchFile),
                (folder, InvalidProtobuf),
                (b"no model at all", InvalidProtobuf),
                (t.add()[:-9], InvalidProtobuf),
                (b"", InvalidArgument),
                (relu(operator="NoSuchOperator"), NotImplemented),
                (relu(inputs=("nowhere",)), InvalidGraph),
                (relu(inputs=("x", "x")), InvalidGraph),
                (relu(attributes=[t.attribute("bogus", 1)]), InvalidGraph),
                (relu(output="other"), InvalidGraph),
                (relu(domain="org.unknown"), InvalidGraph),
                (t.same("Relu", t.STRING, [2]), InvalidGraph),
                (relu(opset=99), Fail),
            ):
                with self.assertRaisesRegex(kind, r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "):
                    rt.InferenceSession(source)

    def test_a_node_that_fails(self):
        session = rt.InferenceSession(
            t.model(
                [t.node("Reshape", ["x", "s"], ["y"])],
                [
                    t.value("x", t.tensor_type(t.FLOAT, ["N"])),
                    t.value("s", t.tensor_type(t.INT64, [2])),
                ],
                [t.value("y", t.tensor_type(t.FLOAT, None))],
            )
        )
        with self.assertRaisesRegex(Fail, "Reshape"):
            session.run(None, {"x": X[0], "s": np.array([3, 5])})
        self.assertEqual(session.run(None, {"x": X[0], "s": np.array([2, 1])})[0].shape, (2, 1))

    def test_names(self):
        for name in (
            "Fail",
            "InvalidArgument",
            "NoSuchFile",
            "NoModel",
            "EngineError",
            "RuntimeException",
            "InvalidProtobuf",
            "ModelLoaded",
            "NotImplemented",
            "InvalidGraph",
            "EPFail",
        ):
            kind = getattr(state, name)
            self.assertEqual(kind.__module__, "onnxruntime.capi.onnxruntime_pybind11_state")
            self.assertEqual(kind.__bases__, (Exception,))


class Options(unittest.TestCase):
    def test_attributes(self):
        options = rt.SessionOptions()
        options.graph_optimization_level = rt.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        with self.assertLogs("onnxruntime", logging.WARNING) as said:
            state._said.clear()
            options.inter_op_num_threads = 2
            options.inter_op_num_threads = 3
            options.execution_mode = rt.ExecutionMode.ORT_PARALLEL
        self.assertEqual(len(said.output), 2, said.output)
        got = rt.InferenceSession(t.add(), options).run(None, {"x": X, "y": Y})[0]
        np.testing.assert_array_equal(got, SUM)
        with self.assertRaises(AttributeError):
            options.no_such_option = 1
        with self.assertRaises(TypeError):
            options.intra_op_num_threads = "many"
        with self.assertRaises(TypeError):
            options.graph_optimization_level = 99
        with self.assertRaises(TypeError):
            rt.InferenceSession(t.add(), "options")

    def test_a_callback_takes_the_messages(self):
        said = []

        def warn():
            state._said.clear()
            rt.SessionOptions().inter_op_num_threads = 2

        def callback(*message):
            said.append(message)
            warn()  # its own goes past it

        self.addCleanup(rt.set_default_logger_callback, None)
        self.addCleanup(rt.set_default_logger_severity, 2)
        rt.set_default_logger_callback(callback)
        with self.assertLogs("onnxruntime", logging.WARNING) as logged:
            warn()
        self.assertEqual([m[:3] for m in said], [(2, "onnxruntime", "Default")])
        self.assertIn("inter_op_num_threads", said[0][4])
        self.assertEqual(len(logged.output), 1, logged.output)

        rt.set_default_logger_callback(callback, 3)
        warn()
        self.assertEqual(len(said), 1)

        rt.set_default_logger_callback(lambda *message: 1 / 0)
        with self.assertLogs("onnxruntime", logging.WARNING) as logged:
            with contextlib.redirect_stderr(io.StringIO()) as printed:
                warn()
        self.assertEqual(len(logged.output), 1)
        self.assertIn("ZeroDivisionError", printed.getvalue())

        rt.set_default_logger_callback(None)
        with self.assertLogs("onnxruntime", logging.WARNING):
            warn()
        self.assertEqual(len(said), 1)
        for wrong in ((3,), (print, 5), (print, -1), (None, 9)):
            with self.assertRaises(RuntimeError):
                rt.set_default_logger_callback(*wrong)

    def test_configuration_entries(self):
        options = rt.SessionOptions()
        options.add_session_config_entry("session.use_env_allocators", "1")
        self.assertEqual(options.get_session_config_entry("session.use_env_allocators"), "1")
        with self.assertRaises(RuntimeError):
            options.get_session_config_entry("other")

    def test_providers(self):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            session = rt.InferenceSession(
                t.add(), providers=["CUDAExecutionProvider", ("CPUExecutionProvider", {})]
            )
        self.assertIn("CUDAExecutionProvider", str(said[0].message))
        self.assertEqual(session.get_providers(), ["CPUExecutionProvider"])
        session.set_providers(["CPUExecutionProvider"])
        self.assertEqual(session.get_provider_options(), {"CPUExecutionProvider": {}})

    def test_free_dimensions(self):
        options = rt.SessionOptions()
        options.add_free_dimension_override_by_name("N", 3)
        session = rt.InferenceSession(t.add(), options)
        self.assertEqual(session.get_inputs()[0].shape, [3, 2])
        session.run(None, {"x": X, "y": Y})
        with self.assertRaisesRegex(InvalidArgument, "index: 0 Got: 2 Expected: 3"):
            session.run(None, {"x": X[:2], "y": Y})

    def test_terminate(self):
        options = rt.RunOptions()
        session = rt.InferenceSession(t.add())
        session.run(None, {"x": X, "y": Y}, options)
        options.terminate = True
        with self.assertRaisesRegex(Fail, "terminate flag"):
            session.run(None, {"x": X, "y": Y}, options)
        options.terminate = False
        session.run(None, {"x": X, "y": Y}, options)

    @staticmethod
    def loop(options=None):
        """A session of a loop, and feeds for so many trips."""
        session = Maps.load("loop.onnx", options)
        state, x = np.array([0, 1], np.float32), np.array([1, 10], np.float32)
        return session, lambda trips: {"m": np.array(trips), "start": state, "x": x}

    def test_terminate_from_another_thread(self):
        session, feeds = self.loop()
        options = rt.RunOptions()
        timer = threading.Timer(0.1, setattr, (options, "terminate", True))
        timer.start()
        begin = time.monotonic()
        with self.assertRaisesRegex(
            Fail, "ONNXRuntimeError.*1 : FAIL : .*Exiting due to terminate flag being set to true."
        ):
            session.run(None, feeds(1 << 40), options)
        self.assertLess(time.monotonic() - begin, 20)
        timer.join()
        options.terminate = False
        self.assertEqual(session.run(None, feeds(2), options)[1].shape[0], 2)

    def test_deadline(self):
        session, feeds = self.loop()
        options = rt.RunOptions()
        options.add_run_config_entry("slipway.deadline_ms", "100")
        self.assertEqual(options.get_run_config_entry("slipway.deadline_ms"), "100")
        with self.assertRaisesRegex(state.RuntimeException, "longer than it may") as raised:
            session.run(None, feeds(1 << 40), options)
        self.assertEqual(raised.exception.id, "Run.DeadlineExceeded")
        session.run(None, feeds(2), options)
        for wrong in ("-1", "soon", "1.5", "", str(1 << 63)):
            with self.assertRaises(InvalidArgument):
                options.add_run_config_entry("slipway.deadline_ms", wrong)

    def test_limits(self):
        options = rt.SessionOptions()
        options.add_session_config_entry("slipway.memory_limit_bytes", "100000")
        options.add_session_config_entry("slipway.loop_trips_limit", "5")
        session, feeds = self.loop(options)
        session.run(None, feeds(5))
        with self.assertRaises(state.RuntimeException) as raised:
            session.run(None, feeds(6))
        self.assertEqual(raised.exception.id, "Run.TooManyTrips")
        add = rt.InferenceSession(t.add(), options)
        large = np.ones((100_000, 2), np.float32)
        with self.assertRaisesRegex(state.RuntimeException, "100000 bytes are in use") as raised:
            add.run(None, {"x": large, "y": Y})
        self.assertEqual(raised.exception.id, "Run.MemoryLimit")
        add.run(None, {"x": X, "y": Y})
        with self.assertRaisesRegex(state.RuntimeException, "100000 bytes are in use"):
            add.run(None, {"x": large, "y": Y})
        with self.assertRaises(InvalidArgument):
            options.add_session_config_entry("slipway.memory_limit_bytes", "1G")

    def test_precision(self):
        weights = np.random.default_rng(1).standard_normal((512, 640)).astype(np.float32)
        model = t.model(
            [t.node("MatMul", ["x", "w"], ["y"])],
            [t.value("x", t.tensor_type(t.FLOAT, [2, 512]))],
            [t.value("y", t.tensor_type(t.FLOAT, [2, 640]))],
            [t.tensor("w", t.FLOAT, [512, 640], weights.tobytes())],
        )
        x = {"x": np.linspace(-1, 1, 1024, dtype=np.float32).reshape(2, 512)}
        # Of what is rounded to 8 binary digits, or to half a step of 127 to the largest number.
        large = np.abs(x["x"]).max(1, keepdims=True) / 254, np.abs(weights).max(0) / 254
        size = np.abs(x["x"]) @ np.abs(weights)
        bytes_off = np.abs(x["x"]).sum(1, keepdims=True) * large[1]
        bytes_off = bytes_off + np.abs(weights).sum(0) * large[0] + 512 * large[0] * large[1]
        (exact,) = rt.InferenceSession(model).run(None, x)
        for name, bound in (("fp32", 0), ("bf16", size * 2**-7.9), ("int8", bytes_off * 1.01)):
            options = rt.SessionOptions()
            options.add_session_config_entry("slipway.precision", name)
            (y,) = rt.InferenceSession(model, options).run(None, x)
            self.assertTrue((np.abs(y - exact) <= bound).all(), name)
        options.add_session_config_entry("slipway.strict_accuracy", "1")
        with self.assertRaisesRegex(InvalidArgument, "precision int8 rounds more"):
            rt.InferenceSession(model, options)
        with self.assertRaisesRegex(InvalidArgument, "'fp16' is none of fp32, bf16, int8"):
            options.add_session_config_entry("slipway.precision", "fp16")

    def test_kernels_are_measured_and_kept(self):
        weights = np.random.default_rng(1).standard_normal((512, 300)).astype(np.float32)
        model = t.model(
            [t.node("MatMul", ["x", "w"], ["y"])],
            [t.value("x", t.tensor_type(t.FLOAT, [1, 512]))],
            [t.value("y", t.tensor_type(t.FLOAT, [1, 300]))],
            [t.tensor("w", t.FLOAT, [512, 300], weights.tobytes())],
        )
        x = {"x": np.linspace(-1, 1, 512, dtype=np.float32).reshape(1, 512)}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.choices.json"
            options = rt.SessionOptions()
            options.add_session_config_entry("slipway.choices_file", str(path))
            options.add_session_config_entry("slipway.tune_ms", "60000")
            (here,) = rt.InferenceSession(model, options).run(None, x)
            kept = path.read_text()
            self.assertIn("matmul_vector", kept)
            for choice in ("matmul_vector", "matmul_dnnl"):
                path.write_text(kept.replace('"kernel": "matmul_vector"',
                                             '"kernel": "%s"' % choice))
                (there,) = rt.InferenceSession(model, options).run(None, x)
                np.testing.assert_allclose(there, x["x"] @ weights, rtol=1e-4, atol=1e-4)
            path.write_text(kept)
            (there,) = rt.InferenceSession(model, options).run(None, x)
            np.testing.assert_array_equal(here, there)
            path.write_text("{")
            with self.assertWarnsRegex(RuntimeWarning, "model.choices.json: .*JSON"):
                rt.InferenceSession(model, options).run(None, x)
            self.assertIn("matmul_vector", path.read_text())
            path.write_text("{")
            options.use_deterministic_compute = True
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                rt.InferenceSession(model, options).run(None, x)
            self.assertEqual(path.read_text(), "{")
            with self.assertRaises(InvalidArgument):
                options.add_session_config_entry("slipway.tune_ms", "soon")

    def test_loading_can_be_cancelled(self):
        options = rt.SessionOptions()
        options.set_load_cancellation_flag(True)
        x = np.ones((4, 4), np.float32).tobytes()
        folded = t.model(
            [t.node("MatMul", ["w", "w"], ["v"]), t.node("Add", ["v", "x"], ["y"])],
            [t.value("x", t.tensor_type(t.FLOAT, [4, 4]))],
            [t.value("y", t.tensor_type(t.FLOAT, [4, 4]))],
            [t.tensor("w", t.FLOAT, [4, 4], x)],
        )
        with self.assertRaises(state.ModelLoadCanceled):
            rt.InferenceSession(folded, options)
        options.set_load_cancellation_flag(False)
        rt.InferenceSession(folded, options)

    def test_profile(self):
        import json

        options = rt.SessionOptions()
        options.enable_profiling = True
        with tempfile.TemporaryDirectory() as folder:
            options.profile_file_prefix = os.path.join(folder, "trace")
            session = rt.InferenceSession(t.add(), options)
            session.run(None, {"x": X, "y": Y})
            session.run(None, {"x": X, "y": Y})
            with open(session.end_profiling()) as file:
                [event] = json.load(file)
        self.assertEqual((event["args"]["op_name"], event["args"]["runs"]), ("Add", 2))
        self.assertEqual(rt.InferenceSession(t.add()).end_profiling(), "")


class Bindings(unittest.TestCase):
    def setUp(self):
        self.session = rt.InferenceSession(t.add())

    def test_ort_values(self):
        x = rt.OrtValue.ortvalue_from_numpy(X)
        self.assertEqual((x.shape(), x.data_type(), x.element_type()), ([3, 2], "tensor(float)", 1))
        self.assertEqual(x.data_ptr(), X.ctypes.data)
        y = rt.OrtValue.ortvalue_from_shape_and_type([1, 2], np.float32)
        y.update_inplace(Y)
        [z] = self.session.run_with_ort_values(["z"], {"x": x, "y": y})
        np.testing.assert_array_equal(z.numpy(), SUM)
        self.assertTrue(z.is_tensor() and z.has_value() and not z.is_sparse_tensor())
        for given in ([1.0], np.array(["text"])):
            with self.assertRaises(RuntimeError):
                rt.OrtValue.ortvalue_from_numpy(given)
        with self.assertRaises(RuntimeError):
            rt.OrtValue.ortvalue_from_numpy(X, "cuda", 0)
        with self.assertRaises(RuntimeError):
            y.update_inplace(X)

    @unittest.skipUnless(hasattr(np, "from_dlpack"), "this numpy has no DLPack")
    def test_dlpack(self):
        x = rt.OrtValue.from_dlpack(X)
        self.assertEqual(x.data_ptr(), X.ctypes.data)
        [z] = self.session.run_with_ort_values(
            None, {"x": x, "y": rt.OrtValue.ortvalue_from_numpy(Y)}
        )
        back = np.from_dlpack(z)
        self.assertEqual(back.ctypes.data, z.data_ptr())
        np.testing.assert_array_equal(back, SUM)

    def test_io_binding(self):
        binding = self.session.io_binding()
        with self.assertRaisesRegex(RuntimeError, "At least one output"):
            self.session.run_with_iobinding(binding)
        binding.bind_cpu_input("x", X)
        binding.bind_input("y", "cpu", 0, np.float32, Y.shape, Y.ctypes.data)
        binding.bind_output("z")
        self.session.run_with_iobinding(binding)
        np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], SUM)
        into = np.zeros((3, 2), np.float32)
        binding.clear_binding_outputs()
        binding.bind_output("z", "cpu", 0, np.float32, into.shape, into.ctypes.data)
        self.session.run_with_iobinding(binding)
        np.testing.assert_array_equal(into, SUM)
        value = rt.OrtValue.ortvalue_from_numpy(np.zeros((3, 2), np.float32))
        binding.bind_ortvalue_output("z", value)
        self.session.run_with_iobinding(binding)
        np.testing.assert_array_equal(value.numpy(), SUM)
        self.assertIs(binding.get_outputs()[0], value)
        binding.bind_ortvalue_output(
            "z", rt.OrtValue.ortvalue_from_numpy(np.zeros((1, 2), np.float32))
        )
        with self.assertRaises(InvalidArgument):
            self.session.run_with_iobinding(binding)
        with self.assertRaises(RuntimeError):
            binding.bind_cpu_input("q", X)
        with self.assertRaises(RuntimeError):
            binding.bind_cpu_input("x", [1.0])

    def test_a_cache_grows_in_place(self):
        port = t.tensor_type(t.FLOAT, ["N", "L", 2])
        model = t.model(
            [t.node("TensorScatter", ["past", "new", "at"], ["now"])],
            [
                t.value("past", port),
                t.value("new", port),
                t.value("at", t.tensor_type(t.INT64, ["N"])),
            ],
            [t.value("now", port)],
            opset=24,
        )
        options = rt.SessionOptions()
        options.add_session_config_entry("slipway.memory_limit_bytes", str(1 << 16))
        session = rt.InferenceSession(model, options)
        expected = np.zeros((1, 1 << 15, 2), np.float32)
        cache = rt.OrtValue.ortvalue_from_numpy(expected.copy())
        feeds = {"new": np.ones((1, 1, 2), np.float32), "at": np.zeros(1, np.int64)}
        with self.assertRaisesRegex(Exception, "in use"):
            session.run(None, dict(feeds, past=expected))
        binding = session.io_binding()
        binding.bind_ortvalue_input("past", cache)
        binding.bind_ortvalue_output("now", cache)
        for step in range(5):
            new = np.full((1, 1, 2), step + 1, np.float32)
            binding.bind_cpu_input("new", new)
            binding.bind_cpu_input("at", np.array([step * 3], np.int64))
            session.run_with_iobinding(binding)
            expected[0, step * 3] = step + 1
            np.testing.assert_array_equal(cache.numpy(), expected)
            self.assertIs(binding.get_outputs()[0], cache)

    def test_outputs_bound_to_memory_that_the_library_cannot_write(self):
        binding = self.session.io_binding()
        binding.bind_cpu_input("x", X)
        binding.bind_cpu_input("y", Y)
        wide = np.zeros((3, 4), np.float32)
        apart = rt.OrtValue(wide[:, ::2])
        binding.bind_ortvalue_output("z", apart)
        self.session.run_with_iobinding(binding)
        np.testing.assert_array_equal(wide[:, ::2], SUM)
        np.testing.assert_array_equal(wide[:, 1::2], 0)
        binding.bind_ortvalue_output("z", rt.OrtValue(np.zeros((3, 2), np.float64)))
        with self.assertRaises(InvalidArgument):
            self.session.run_with_iobinding(binding)

    def test_run_async(self):
        import threading

        done, got = threading.Event(), []

        def finished(results, data, error):
            got.append((results, data, error))
            done.set()

        self.session.run_async(None, {"x": X, "y": Y}, finished, "tag")
        self.assertTrue(done.wait(20))
        np.testing.assert_array_equal(got[0][0][0], SUM)
        self.assertEqual(got[0][1:], ("tag", ""))


if __name__ == "__main__":
    unittest.main()
