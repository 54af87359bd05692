# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime beside the module of this project: outputs on models, and the kinds of errors.

onnxruntime_module_peer.py record FILE MODELS   with either module on sys.path
onnxruntime_module_peer.py compare THEIRS OURS
onnxruntime_module_peer.py exported FOLDER      ours against outputs that came with the models
"""

import json
import pathlib
import pickle
import subprocess
import sys
import time
import warnings

import numpy as np
import onnx
import onnxruntime as rt
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
# What is refused by both and in other words: why.
KNOWN = {
    "unknown operator": "here any operator that is not there is NotImplemented",
    "input from nowhere": "InvalidArgument there, InvalidGraph here like its neighbours",
    "output from nowhere": "Fail there, InvalidGraph here like its neighbours",
    "None for a tensor": "Fail from inside the node there, refused at the door here",
    "dict for a tensor": "both refuse",
    "numpy scalar": "refused there, a tensor without dimensions here",
    "sequence of doubles": "RuntimeError there, InvalidArgument here like other wrong types",
    "big-endian": "wrong numbers there",
    "bytes that are text": "padded by garbage there",
    "object bytes": "their repr there",
    "providers of unequal length": "printed and ignored there",
}


def random_feeds(session, seed):
    random = np.random.default_rng(seed)
    feeds = {}
    for arg in session.get_inputs():
        shape = [dim if isinstance(dim, int) else 1 for dim in arg.shape]
        dtype = TYPES[arg.type]
        if np.issubdtype(dtype, np.floating):
            feeds[arg.name] = random.random(shape).astype(dtype)
        else:
            feeds[arg.name] = np.full(shape, 16000 if not shape else 1, dtype)
    return feeds


def special_feeds(name, session, seed):
    """Where ones for open dimensions are no sensible input."""
    feeds = random_feeds(session, seed)
    if name == "silero_vad.onnx":
        feeds["input"] = np.random.default_rng(seed).random((1, 512)).astype(np.float32)
    return feeds


def model(nodes, inputs, outputs, opset=13):
    graph = h.make_graph(nodes, "g", inputs, outputs)
    return h.make_model(
        graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8
    ).SerializeToString()


def info(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def one(kind, inputs=("x",), output="y", opset=13, dtype=T.FLOAT, **attributes):
    return model(
        [h.make_node(kind, list(inputs), ["y"], **attributes)],
        [info("x", [2], dtype)],
        [info(output, [2], dtype)],
        opset,
    )


def error_cases():
    """Names and what is tried: each either works or raises in both modules."""
    add = model(
        [h.make_node("Add", ["x", "y"], ["z"])],
        [info("x", ["N", 2]), info("y", [1, 2])],
        [info("z", ["N", 2])],
    )
    length = model(
        [h.make_node("SequenceLength", ["x"], ["n"])],
        [h.make_tensor_sequence_value_info("x", T.FLOAT, ["N"])],
        [info("n", [], T.INT64)],
    )
    text = model(
        [h.make_node("Identity", ["x"], ["y"])],
        [info("x", ["N"], T.STRING)],
        [info("y", ["N"], T.STRING)],
    )
    x, y = np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)

    def run(session, wanted=None, **feeds):
        return lambda: session.run(wanted, feeds)

    def load(source, *arguments, **named):
        return lambda: rt.InferenceSession(source, *arguments, **named)

    s = rt.InferenceSession(add)
    yield from (
        ("fine", run(s, x=x, y=y)),
        ("named", run(s, ["z"], x=x, y=y)),
        ("tuple of names", run(s, ("z",), x=x, y=y)),
        ("twice the same", run(s, ["z", "z"], x=x, y=y)),
        ("missing input", run(s, x=x)),
        ("unknown input", run(s, x=x, y=y, w=y)),
        ("double for float", run(s, x=x.astype("f8"), y=y)),
        ("rank", run(s, x=x[0], y=y)),
        ("dimension", run(s, x=np.ones((3, 3), "f4"), y=y)),
        ("list of lists", run(s, x=[[1.0, 2.0]], y=y)),
        ("a float", run(s, x=1.0, y=y)),
        ("None for a tensor", run(s, x=None, y=y)),
        ("str for a tensor", run(s, x="a", y=y)),
        ("numpy scalar", run(s, x=np.float32(1), y=y)),
        ("tuple for a tensor", run(s, x=((1.0, 2.0),), y=y)),
        ("dict for a tensor", run(s, x={1: 2}, y=y)),
        ("text for float", run(s, x=np.array([["1", "a"]]), y=y)),
        ("unknown output", run(s, ["nope"], x=x, y=y)),
        ("str for names", run(s, "z", x=x, y=y)),
        ("int for a name", run(s, [1], x=x, y=y)),
        ("list of feeds", lambda: s.run(None, [x, y])),
        ("no feeds", lambda: s.run(None, None)),
        ("empty feeds", lambda: s.run(None, {})),
        ("strided", run(s, x=np.ones((2, 3), "f4").T, y=y)),
        ("big-endian", run(s, x=x.astype(">f4"), y=y)),
        ("no rows", run(s, x=np.ones((0, 2), "f4"), y=y)),
        ("options of another kind", lambda: s.run(None, {"x": x, "y": y}, "a")),
        ("no file", load("/nowhere.onnx")),
        ("folder", load("/tmp")),
        ("no model", load(b"hello world")),
        ("empty", load(b"")),
        ("cut short", load(add[:-10])),
        ("number for a path", load(3)),
        ("None", load(None)),
        ("bytearray", load(bytearray(add))),
        ("options None", load(add, None)),
        ("options str", load(add, "a")),
        ("unknown provider", load(add, providers=["Bogus"])),
        ("no providers", load(add, providers=[])),
        (
            "providers of unequal length",
            load(add, providers=["CPUExecutionProvider"], provider_options=[{}, {}]),
        ),
        ("unknown keyword", load(add, nonsense=1)),
        ("unknown operator", load(one("Foo"))),
        ("unknown domain", load(one("Foo", domain="my.dom"))),
        ("input from nowhere", load(one("Relu", ["q"]))),
        ("output from nowhere", load(one("Relu", output="w"))),
        ("wrong type", load(one("Relu", dtype=T.STRING))),
        ("opset from the future", load(one("Relu", opset=99))),
        ("too many inputs", load(one("Relu", ["x", "x"]))),
        ("unknown attribute", load(one("Relu", bogus=1))),
    )
    q = rt.InferenceSession(length)
    yield from (
        ("sequence", run(q, x=[x[0], x[1]])),
        ("empty sequence", run(q, x=[])),
        ("array for a sequence", run(q, x=x)),
        ("lists in a sequence", run(q, x=[[1.0]])),
        ("sequence of doubles", run(q, x=[x[0].astype("f8")])),
        ("tuple for a sequence", run(q, x=(x[0],))),
    )
    q = rt.InferenceSession(text)
    yield from (
        ("text", run(q, x=np.array(["a", "bé"]))),
        ("text objects", run(q, x=np.array(["a", "b"], object))),
        ("bytes that are text", run(q, x=np.array([b"a", b"b"]))),
        ("bytes that are no text", run(q, x=np.array([b"\xff"]))),
        ("object bytes", run(q, x=np.array([b"a"], object))),
        ("anything's str", run(q, x=np.array(["a", 1, None], object))),
        ("zero byte", run(q, x=np.array(["a\0b"], object))),
        ("numbers for text", run(q, x=x[0])),
    )
    o, binding = rt.SessionOptions(), s.io_binding()
    yield from (
        ("unknown option", lambda: setattr(o, "foo", 1)),
        ("option of another type", lambda: setattr(o, "intra_op_num_threads", "a")),
        ("int for a level", lambda: setattr(o, "graph_optimization_level", 99)),
        ("missing configuration", lambda: o.get_session_config_entry("zz")),
        ("binding without outputs", lambda: s.run_with_iobinding(s.io_binding())),
        ("binding of no input", lambda: binding.bind_cpu_input("q", x)),
        ("binding of a list", lambda: binding.bind_cpu_input("x", [1.0])),
        ("OrtValue of a list", lambda: rt.OrtValue.ortvalue_from_numpy([1])),
        ("OrtValue of text", lambda: rt.OrtValue.ortvalue_from_numpy(np.array(["a"]))),
    )


def plain(value):
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), value.tolist()]
    return [plain(item) for item in value] if isinstance(value, list) else None


def outcome(work):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = plain(work())
        except Exception as error:
            return {"raises": type(error).__name__}
    return {"gives": result, "warns": any("available provider" in str(w.message) for w in said)}


def seconds_each(session, feeds, count=3000):
    for _ in range(300):
        session.run(None, feeds)
    begin = time.process_time()
    for _ in range(count):
        session.run(None, feeds)
    return (time.process_time() - begin) / count


def record(file, models):
    out = {"errors": {name: outcome(work) for name, work in error_cases()}, "models": {}}
    options = rt.SessionOptions()
    options.intra_op_num_threads = 1
    for path in sorted(pathlib.Path(models).glob("*.onnx")):
        try:
            begin = time.perf_counter()
            session = rt.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            made = time.perf_counter() - begin
            ports = [(a.name, a.type, len(a.shape)) for a in session.get_inputs()]
            results = [
                session.run(None, special_feeds(path.name, session, seed)) for seed in range(3)
            ]
            out["models"][path.name] = (ports, results, made)
        except Exception as error:
            out["models"][path.name] = str(error)
    add = rt.InferenceSession(one("Relu"), options)
    out["call"] = seconds_each(add, {"x": np.ones(2, np.float32)})
    out["version"] = rt.__version__
    with open(file, "wb") as into:
        pickle.dump(out, into)


# Fifteen normalisations of single images carry roundings on: there the rewrites alone change
# answers, of up to 255, by some hundredths.
WORST = {"style_candy.onnx": 0.5}


def assert_alike(mine, reference, where, tolerances):
    """Raises where two answers differ: arrays, lists of such, and dicts, as ZipMap gives them."""
    assert type(mine) is type(reference), (where, type(mine), type(reference))
    if isinstance(mine, (list, tuple)):
        assert len(mine) == len(reference), (where, len(mine), len(reference))
        for i, (a, b) in enumerate(zip(mine, reference)):
            assert_alike(a, b, "%s[%d]" % (where, i), tolerances)
    elif isinstance(mine, dict):
        assert list(mine) == list(reference), (where, list(mine), list(reference))
        for key in mine:
            assert_alike(mine[key], reference[key], "%s[%r]" % (where, key), tolerances)
    elif isinstance(mine, np.ndarray) and mine.dtype == object:
        assert mine.tolist() == reference.tolist(), where
    elif isinstance(mine, (np.ndarray, float)):
        a, b = np.asarray(mine), np.asarray(reference)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), (where, a.dtype, a.shape, b.dtype, b.shape)
        np.testing.assert_allclose(a, b, err_msg=where, **tolerances)
    else:
        assert mine == reference, (where, mine, reference)


def compare(theirs_file, ours_file):
    with open(theirs_file, "rb") as a, open(ours_file, "rb") as b:
        theirs, ours = pickle.load(a), pickle.load(b)
    wrong = 0
    for name, expected in theirs["errors"].items():
        got = ours["errors"][name]
        if json.dumps(got) == json.dumps(expected):
            continue
        print(
            "%s: %s there, %s here%s"
            % (name, expected, got, "; " + KNOWN[name] if name in KNOWN else "")
        )
        wrong += name not in KNOWN
    for name, expected in theirs["models"].items():
        got = ours["models"][name]
        if isinstance(got, str) or isinstance(expected, str):
            print("%s: not compared: %s" % (name, got if isinstance(got, str) else expected))
            wrong += 1
            continue
        assert [p[:2] for p in got[0]] == [p[:2] for p in expected[0]], (got[0], expected[0])
        loose = any("float16" in port[1] for port in expected[0])
        worst = WORST.get(name, 1e-5)
        for mine, reference in zip(got[1], expected[1]):
            tolerances = {"rtol": 2e-2, "atol": 1e-3} if loose else {"rtol": 1e-3, "atol": worst}
            assert_alike(mine, reference, name, tolerances)
        print(
            "%s: agrees; made in %.1f ms, there %.1f ms" % (name, got[2] * 1e3, expected[2] * 1e3)
        )
    print(
        "a call on one node: %.1f us of processor time, there %.1f us"
        % (ours["call"] * 1e6, theirs["call"] * 1e6)
    )
    print(
        "%d of %d error cases as ONNX Runtime %s"
        % (
            sum(
                json.dumps(ours["errors"][n]) == json.dumps(e) for n, e in theirs["errors"].items()
            ),
            len(theirs["errors"]),
            theirs["version"],
        )
    )
    if wrong:
        sys.exit("%d differences that are not known" % wrong)


def read_value(path):
    message = onnx.TensorProto()
    message.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(message)


def check_exported(folder, session, about):
    """Raises where an output differs from the one that came with the model."""
    args = session.get_inputs()
    for case in sorted(folder.glob("test_data_set_*")):
        feeds = {arg.name: read_value(case / ("input_%d.pb" % i)) for i, arg in enumerate(args)}
        for i, got in enumerate(session.run(None, feeds)):
            wanted = read_value(case / ("output_%d.pb" % i))
            if got.dtype == object:
                assert got.tolist() == [
                    w.decode() if isinstance(w, bytes) else w for w in wanted.tolist()
                ]
            else:
                np.testing.assert_allclose(got, wanted, rtol=about["rtol"], atol=about["atol"])


def exported(folder, slipway):
    folder = pathlib.Path(folder)
    passed, absent, failed = 0, [], []
    for name, about in sorted(json.loads((folder / "index.json").read_text()).items()):
        try:
            session = rt.InferenceSession(str(folder / name / "model.onnx"))
            if all(
                arg.type.startswith("tensor")
                for arg in session.get_inputs() + session.get_outputs()
            ):
                check_exported(folder / name, session, about)
                passed += 1
        except rt.capi.onnxruntime_pybind11_state.NotImplemented as error:
            absent.append("%s: not there: %s" % (name, str(error).split("operator")[-1].strip()))
        except Exception as error:
            alone = subprocess.run(
                [slipway, "model", "test", str(folder / name)], capture_output=True
            )
            (failed if alone.returncode == 0 else absent).append(
                "%s: FAILED%s: %s"
                % (
                    name,
                    " here, not in `slipway model test`" if alone.returncode == 0 else "",
                    " ".join(str(error).split())[:200],
                )
            )
    print("%d exported models agree with the outputs that came with them" % passed)
    print("\n".join(absent + failed))
    assert passed and not failed


if __name__ == "__main__":
    {"record": record, "compare": compare, "exported": exported}[sys.argv[1]](*sys.argv[2:])
