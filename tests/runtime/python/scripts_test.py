# SPDX-License-Identifier: Apache-2.0
"""Scoring scripts on the module `onnxruntime`: the ones of templates/scripts answer right, those of
the documents fail in the very ways they are known to."""

import importlib.util
import json
import pathlib
import re
import sys
import tempfile
import types
import unittest

from support import skip_without

skip_without("numpy")
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRIPTS, DIGITS = ROOT / "templates" / "scripts", ROOT / "templates" / "digits"
DOCUMENTS = ROOT.parent / "shared" / "documents"


class Model:
    """Stands in for azureml.core.model.Model of a container with one model."""

    @staticmethod
    def get_model_path(model_name, version=None, _workspace=None):
        if model_name != "MyONNXmodel":
            raise RuntimeError("Model not found in cache or in root at ./%s" % model_name)
        return str(SCRIPTS / "model.onnx")


def load(path):
    """A script as the server loads it."""
    for name in ("azureml", "azureml.core", "azureml.core.model"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["azureml.core.model"].Model = Model
    spec = importlib.util.spec_from_file_location("score", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Templates(unittest.TestCase):
    def rows(self, answer):
        answer = json.loads(answer) if isinstance(answer, str) else answer
        self.assertNotIn("error", answer)
        return np.array(answer["result"]).reshape(-1, 10)

    def test_both_are_right_on_every_sample(self):
        labels = json.loads((DIGITS / "samples" / "labels.json").read_text())
        labels = list(labels.values()) if isinstance(labels, dict) else labels
        for name in ("score.py", "score_json.py"):
            script = load(SCRIPTS / name)
            script.init()
            right = 0
            for number in range(10):
                sample = json.loads((DIGITS / "samples" / ("digits_%d.json" % number)).read_text())
                answer = script.run(json.dumps({"data": sample["image"]}))
                json.dumps(answer)
                right += int(self.rows(answer).argmax()) == number
            self.assertGreaterEqual(right, 9, labels)
            answer = script.run((SCRIPTS / "request.json").read_text())
            self.assertEqual(int(self.rows(answer).argmax()), 7)

    def test_wrong_requests_say_why(self):
        script = load(SCRIPTS / "score_json.py")
        script.init()
        self.assertIn("Invalid rank", json.loads(script.run('{"data": [1, 2]}'))["error"])
        self.assertIn("Expecting", json.loads(script.run("no json"))["error"])


@unittest.skipUnless(DOCUMENTS.is_dir(), "the documents are not here")
class Documents(unittest.TestCase):
    def scripts(self):
        for path in sorted(DOCUMENTS.glob("*.txt")):
            for indent, block in re.findall(
                r"^( *)```[a-z]*\n(.*?)^ *```", path.read_text("utf-8"), re.S | re.M
            ):
                if "def run(" in block:
                    yield path.name[:3], "\n".join(
                        line[len(indent) :] for line in block.split("\n")
                    )

    def loaded(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "score.py"
            path.write_text(text, "utf-8")
            return load(path)

    def test_faults_show(self):
        request = (SCRIPTS / "request.json").read_text()
        seen = set()
        for number, text in self.scripts():
            seen.add(number)
            script = self.loaded(text)
            if number in ("000", "002"):
                with self.assertRaisesRegex(RuntimeError, "MyONNXModel"):
                    script.init()
                script = self.loaded(text.replace("MyONNXModel", "MyONNXmodel"))
                script.init()
                self.assertEqual(script.run(request), {"error": "name 'time' is not defined"})
            else:
                script.init()
                self.assertIn(
                    "Unexpected input data type", json.loads(script.run(request))["error"]
                )
                script = self.loaded(text.replace("np.array(data)", "np.array(data, np.float32)"))
                script.init()
                said = json.loads(script.run(request))["error"]
                self.assertEqual(said, "'list' object has no attribute 'tolist'")
        self.assertEqual(seen, {"000", "001", "002", "004"})


if __name__ == "__main__":
    unittest.main()
