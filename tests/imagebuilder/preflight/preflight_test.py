# SPDX-License-Identifier: Apache-2.0
"""The checker of scoring scripts: no word about good ones, the right word about each fault.

preflight_test.py CHECKER_FOLDER [DOCUMENTS_FOLDER]
"""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CHECKER = sys.argv[1] if len(sys.argv) > 1 else ""
DOCUMENTS = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
MODEL = {
    "name": "M",
    "version": 1,
    "inputs": [{"name": "x", "type": "tensor(float)"}],
    "outputs": [{"name": "y", "type": "tensor(float)"}],
}
HEAD = """import json
import numpy as np
import onnxruntime
from azureml.core.model import Model
def init():
    global s
    s = onnxruntime.InferenceSession(Model.get_model_path('M'))
"""


def examined(request):
    """The findings as `ask` gives them, without a process."""
    if CHECKER not in sys.path:
        sys.path.insert(0, CHECKER)
    spec = importlib.util.spec_from_file_location("preflight", CHECKER + "/__main__.py")
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    return [finding.as_json() for finding in checker.examine(checker.Request(request))]


def ask(request):
    done = subprocess.run(
        [sys.executable, CHECKER],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def findings(text, **request):
    given = {
        "models": [MODEL],
        "requirements": ["onnxruntime", "azureml-core"],
        "python_version": "3.11",
    }
    given.update(request)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "score.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return examined({"script": str(path), **given})


class Good(unittest.TestCase):
    def test_no_false_alarm(self):
        requests = json.loads((HERE / "good" / "requests.json").read_text())
        scripts = sorted(path.stem for path in (HERE / "good").glob("*.py"))
        self.assertEqual(scripts, sorted(requests))
        self.assertGreaterEqual(len(scripts), 20)
        for name in scripts:
            with self.subTest(name):
                request = {
                    "script": str(HERE / "good" / (name + ".py")),
                    "python_version": "3.11",
                    **requests[name],
                }
                self.assertEqual(ask(request), [])

    def test_templates(self):
        folder = HERE.parents[2] / "templates" / "scripts"
        model = {
            "name": "MyONNXmodel",
            "version": 1,
            "inputs": [{"name": "inX", "type": "tensor(float)"}],
            "outputs": [{"name": "outY", "type": "tensor(float)"}],
        }
        scripts = sorted(folder.glob("score*.py"))
        self.assertTrue(scripts)
        for path in scripts:
            request = {
                "script": str(path),
                "models": [model],
                "requirements": ["azureml-core", "onnxruntime"],
                "python_version": "3.11",
            }
            self.assertEqual(ask(request), [], path)


class Documents(unittest.TestCase):
    """The four scripts of the documents have exactly the faults they are known for."""

    FAULTS = {
        "000": [("Script.ModelNameCase", 9), ("Script.UndefinedName", 21)],
        "002": [("Script.ModelNameCase", 9), ("Script.UndefinedName", 21)],
        "001": [("Script.InputType", 17), ("Script.ResultsAreList", 19)],
        "004": [("Script.InputType", 17), ("Script.ResultsAreList", 19)],
    }

    @unittest.skipUnless(DOCUMENTS and DOCUMENTS.is_dir(), "the documents are not here")
    def test_documents(self):
        model = dict(
            MODEL,
            name="MyONNXmodel",
            inputs=[{"name": "inX", "type": "tensor(float)"}],
            outputs=[{"name": "outY", "type": "tensor(float)"}],
        )
        seen = {}
        for path in sorted(DOCUMENTS.glob("*.txt")):
            for indent, block in re.findall(
                r"^( *)```[a-z]*\n(.*?)^ *```", path.read_text("utf-8"), re.S | re.M
            ):
                if "def run(" in block:
                    text = "\n".join(line[len(indent) :] for line in block.split("\n"))
                    got = findings(
                        text, models=[model], requirements=["azureml-core", "onnxruntime"]
                    )
                    self.assertTrue(all(f["fix"] and f["column"] >= 0 for f in got))
                    seen[path.name[:3]] = [
                        (f["code"], f["line"]) for f in got if f["severity"] == "error"
                    ]
        self.assertEqual(seen, self.FAULTS)


def body(text, parameter="data"):
    return (
        HEAD
        + "def run(%s):\n" % parameter
        + "".join("    %s\n" % line for line in text.split("\n"))
    )


JSON_X = "x = np.array(json.loads(data)['data'])\n"
F32_X = "x = np.array(json.loads(data)['data'], np.float32)\n"

# Scripts and the codes found in them, in the order of lines.
FAULTS = [
    (b"def init(): pass\ndef run(d):\n    return '\xff'\n", ["Encoding"]),
    (b"def init(): pass\0", ["Encoding"]),
    ("def init(): pass\n".encode("utf-16"), ["Encoding"]),
    (b"# -*- coding: klingon -*-\n", ["Encoding"]),
    ("def init(:\n  pass", ["Syntax"]),
    ("def init():\n\tpass\n        x = 1\n", ["Syntax"]),
    ("(" * 5000, ["Syntax"]),
    ("", ["NoInit", "NoRun"]),
    ("def init(): pass\n", ["NoRun"]),
    ("def init(): pass\nasync def run(data):\n    return data\n", ["Async"]),
    ("def init(model): pass\ndef run(data):\n    return data\n", ["InitArity"]),
    ("def init(): pass\ndef run():\n    return 1\n", ["RunArity"]),
    ("def init(): pass\ndef run(*data):\n    return 1\n", ["RunArity"]),
    ("def init(): pass\ndef run(a, b):\n    return 1\n", ["RunArity"]),
    ("def init(): pass\ndef run(request_headers):\n    return 1\n", ["RunArity"]),
    ("def init(): pass\ndef run(data):\n    print(data)\n", ["ReturnsNothing"]),
    (body("return jsn.loads(data)"), ["UndefinedName"]),
    (body("return [helper(v) for v in json.loads(data)]"), ["UndefinedName"]),
    (body("start = time.time()\nreturn time.time() - start"), ["UndefinedName"]),
    (
        "import json\ndef init():\n    model = 1\ndef run(data):\n    return model\n",
        ["UndefinedName"],
    ),
    (HEAD.replace("'M'", "'m'") + "def run(data):\n    return 1\n", ["ModelNameCase"]),
    (HEAD.replace("'M'", "'other'") + "def run(data):\n    return 1\n", ["UnknownModel"]),
    (
        HEAD.replace("'M'", "'M', version=4") + "def run(data):\n    return 1\n",
        ["UnknownModelVersion"],
    ),
    (
        (
            "from azureml.core import Model as A\nNAME = 'm'\ndef init():\n   "
            " A.get_model_path(NAME)\ndef run(d):\n    return d\n"
        ),
        ["ModelNameCase"],
    ),
    (body(F32_X + "return s.run(None, {'x': x}).tolist()"), ["ResultsAreList"]),
    (
        body(
            F32_X
            + "r = s.run(None, {'x': x})\nif len(r) > 1:\n    print(1)\nreturn {'r': r.argmax()}"
        ),
        ["ResultsAreList"],
    ),
    (body(JSON_X + "return s.run(None, {'x': x})[0].tolist()"), ["InputType"]),
    (
        body(JSON_X + "x = x / 255\nreturn s.run(None, {s.get_inputs()[0].name: x})[0].tolist()"),
        ["InputType"],
    ),
    (
        body(
            JSON_X
            + "x = x.reshape(1, -1).astype('float64')\nreturn s.run(None, {'x': x})[0].tolist()"
        ),
        ["InputType"],
    ),
    (
        body("x = np.zeros((1, 2))\nfeeds = {'x': x}\nreturn s.run(None, feeds)[0].tolist()"),
        ["InputType"],
    ),
    (
        body("x = pre(json.loads(data))\nreturn s.run(None, {'x': x})[0].tolist()")
        + "def pre(d):\n    return np.array(d)\n",
        ["InputType"],
    ),
    (body(F32_X + "return s.run(['Y'], {'x': x})[0].tolist()"), ["UnknownOutput"]),
    (body(F32_X + "return s.run(None, {'X': x})[0].tolist()"), ["UnknownInput"]),
    (body("return s.run(None, {})[0].tolist()"), ["MissingInput"]),
    (
        body(
            F32_X
            + "q = onnxruntime.InferenceSession('a.onnx')\nreturn s.run(None, {'x': x})[0].tolist()"
        ),
        ["SessionPerRequest"],
    ),
    (body(F32_X + "return s.run(None, {'x': x})[0]"), ["ReturnsArray"]),
    (body("return np.array([1, 2])"), ["ReturnsArray"]),
    (body(F32_X + "return s.run(None, {'x': x})"), []),
    (body(F32_X + "return {'y': s.run(None, {'x': x})[0]}"), ["NotSerializable"]),
    (
        body(F32_X + "return json.dumps({'y': [v for v in s.run(None, {'x': x})]})"),
        ["NotSerializable"],
    ),
    (body("return {'label': np.argmax(json.loads(data))}"), ["NotSerializable"]),
    (body("return data.encode()") + "", []),
    (body("return json.dumps(json.loads(data)).encode()"), ["ReturnsBytes"]),
    (body("return {1, 2}"), ["NotSerializable"]),
    (body("return input('rows')"), ["BlocksOnInput"]),
    (body("import sys\nif not data:\n    sys.exit(1)\nreturn data"), ["EndsProcess"]),
    ("import cv2\n" + body("return data"), ["MissingRequirement"]),
    ("import sklearn.linear_model\n" + body("return data"), ["MissingRequirement"]),
    ("import imp\n" + body("return data"), []),
]


class Faults(unittest.TestCase):
    def test_each(self):
        for text, expected in FAULTS:
            with self.subTest(text if isinstance(text, bytes) else text[-120:]):
                found = findings(text)
                self.assertEqual(
                    [f["code"] for f in found], ["Script." + code for code in expected]
                )
                for finding in found:
                    self.assertEqual(
                        sorted(finding), ["code", "column", "fix", "line", "message", "severity"]
                    )
                    self.assertNotIn("\n", finding["message"])
                    self.assertTrue(finding["fix"])
                    self.assertIn(finding["severity"], ("error", "warning"))

    def test_python_versions(self):
        walrus = (
            "def init(): pass\ndef run(d):\n    if (n := len(d)) > 1:\n        return n\n   "
            " return 0\n"
        )
        match = (
            "def init(): pass\ndef run(d):\n    match d:\n        case 1:\n            return 2\n  "
            "  return 0\n"
        )
        self.assertEqual(findings(walrus, python_version="3.8"), [])
        codes = [f["code"] for f in findings(match, python_version="3.8")]
        self.assertIn(codes, (["Script.PythonVersion"], ["Script.Syntax"]))
        for module, version, expected in (
            ("imp", "3.12", True),
            ("imp", "3.11", False),
            ("tomllib", "3.8", True),
            ("cgi", "3.13", True),
        ):
            found = findings("import %s\n" % module + body("return data"), python_version=version)
            self.assertEqual(
                [f["code"] for f in found],
                ["Script.ModuleNotInPython"] * expected,
                (module, version),
            )

    def test_places_and_fixes(self):
        [found] = findings(HEAD.replace("'M'", "'m'") + "def run(data):\n    return 1\n")
        self.assertEqual(
            (found["line"], found["fix"], found["severity"]), (7, "write 'M'", "error")
        )
        [found] = findings("import sklearn\n" + body("return data"))
        self.assertEqual(
            (found["line"], found["fix"]), (1, "add scikit-learn to the dependency file")
        )

    def test_parts_of_azureml(self):
        run = body("return data")
        self.assertEqual(findings("import azureml.core\nimport azureml\n" + run), [])
        [found] = findings("import azureml.train.automl\n" + run)
        self.assertEqual((found["code"], found["line"]), ("Script.MissingRequirement", 1))
        for name in ("azureml-train-automl-runtime", "azureml-sdk"):
            text = "import azureml.train.automl\n" + run
            self.assertEqual(findings(text, requirements=[name, "onnxruntime"]), [], name)

    def test_a_caught_missing_model_is_a_warning(self):
        text = """from azureml.core.model import Model
def init():
    global path
    try:
        path = Model.get_model_path('absent')
    except Exception:
        path = 'local.onnx'
def run(data):
    return path
"""
        [found] = findings(text)
        self.assertEqual((found["code"], found["severity"]), ("Script.UnknownModel", "warning"))

    def test_unknown_signatures_say_nothing(self):
        bare = {"name": "M", "version": 1}
        self.assertEqual(
            findings(body(JSON_X + "return s.run(['q'], {'w': x})[0].tolist()"), models=[bare]), []
        )

    def test_hostile_scripts(self):
        deep = "x = " + "+".join(["1"] * 3000) + "\n"
        many = (
            "\n".join("def f%d(a):\n    return f%d(a) + [f%d]" % (i, i + 1, i) for i in range(300))
            + "\ndef f300(a):\n    return a\n"
        )
        loops = (
            "\n".join(" " * i + "for a%d in [1]:" % i for i in range(19))
            + "\n"
            + " " * 19
            + "x = a0\n"
        )
        for text in (
            deep,
            many,
            loops,
            "x=" + "[" * 150 + "]" * 150,
            "lambda: (yield)\n",
            "class A:\n  def run(self): return A\n",
        ):
            codes = {f["code"] for f in findings(text)}
            self.assertTrue(
                codes & {"Script.NoRun", "Script.Syntax", "Script.TooComplex"}, text[:40]
            )

    def test_wrong_requests(self):
        for request in (
            "",
            "[]",
            "{}",
            '{"script": 1}',
            '{"script": "/nowhere.py"}',
            '{"script": "/etc/hostname", "models": 3}',
        ):
            done = subprocess.run(
                [sys.executable, CHECKER], input=request, capture_output=True, text=True, timeout=60
            )
            self.assertEqual((done.returncode, done.stdout), (2, ""), request)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
