# SPDX-License-Identifier: Apache-2.0
"""The documents' own code: what it sends, and what their scripts say in an image."""

import contextlib
import json
import os
import sys
import types
import unittest
from pathlib import Path

from azureml.core.conda_dependencies import CondaDependencies
from azureml.exceptions import ModelNotFoundException
from case import FolderCase, StubCase
from documents import find, how_tos, model_bytes

HOW_TOS = list(how_tos())
NO_TIME = "import json\n"


def needs_documents(test):
    return unittest.skipUnless(HOW_TOS, "the documents are not here")(test)


@needs_documents
class FlowTest(StubCase):
    def test_flow(self):
        self.assertEqual(len(HOW_TOS), 4)
        for name, blocks in HOW_TOS:
            with self.subTest(name):
                self.stub.models.clear()
                self.stub.images.clear()
                self.run_flow(blocks)

    def run_flow(self, blocks):
        self.write(
            "config.json",
            json.dumps(
                {"subscription_id": "sub", "resource_group": "group", "workspace_name": "lab"}
            ),
        )
        self.write("model.onnx", model_bytes())
        self.write("score.py", find(blocks, "def init"))
        names = {}
        with self.printed() as out:
            for mark in (
                "Workspace.from_config",
                "CondaDependencies",
                "Model.register",
                "ContainerImage",
            ):
                exec(compile(find(blocks, mark), mark, "exec"), names)
        found, *four = out.lines()[:5]
        self.assertRegex(found, "^Found the config file in: ")
        self.assertEqual(four, ["lab", "group", "here", "sub"])
        self.assertEqual(out.lines()[5:7], ["Registering model MyONNXmodel", "Creating image"])
        self.assertRegex(out.lines()[7], r"^Running\.+$")
        self.assertEqual(
            out.lines()[8:],
            [
                "SucceededImage creation operation finished for image "
                'myonnxmodelimage:1, operation "Succeeded"'
            ],
        )
        model, image = names["model"], names["image"]
        self.assertEqual((model.tags, model.description), ({"onnx": ""}, "test"))
        sent = self.stub.bodies("POST", "/images")[-1]
        self.assertEqual((sent["models"], sent["tags"]), (["MyONNXmodel:1"], {"onnx": ""}))
        self.assertEqual(
            self.stub.blobs[sent["script"]["digest"]].decode(), find(blocks, "def init")
        )
        self.assertEqual(self.stub.blobs[sent["conda"]["digest"]], Path("myenv.yml").read_bytes())
        packages = CondaDependencies("myenv.yml").pip_packages
        self.assertLess({"onnxruntime", "azureml-core"}, set(packages) | {"numpy"})
        self.assertEqual(image.creation_state, "Succeeded")


class FakeSession:
    """Of onnxruntime, as far as the documents use it: doubles its input."""

    def __init__(self, path, options=None):
        if not os.path.isfile(path):
            raise FileNotFoundError(path)

    def get_inputs(self):
        return [types.SimpleNamespace(name="inX")]

    def run(self, names, feeds):
        return [[[2 * x for x in row] for row in feeds["inX"]]]


class FakeArray(list):
    """Of numpy, as far as the documents use it."""

    def astype(self, kind):
        return self

    def tolist(self):
        return list(self)


@contextlib.contextmanager
def fakes():
    """An image's onnxruntime and numpy."""
    modules = {
        "onnxruntime": types.SimpleNamespace(InferenceSession=FakeSession),
        "numpy": types.SimpleNamespace(array=FakeArray),
    }
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@needs_documents
class ScriptTest(FolderCase):
    """Their scoring scripts, in a folder like an image's."""

    def setUp(self):
        super().setUp()
        self.write("azureml-models/MyONNXmodel/1/model.onnx", model_bytes())

    def load(self, text):
        names = {}
        with fakes():
            exec(compile(text, "score.py", "exec"), names)
        return names["init"], names["run"]

    def test_as_they_are(self):
        """Each shows its known fault, and by the right message."""
        for name, blocks in HOW_TOS:
            with self.subTest(name):
                script = find(blocks, "def init")
                init, run = self.load(script)
                if "'MyONNXModel'" in script:
                    with self.fails(
                        ModelNotFoundException,
                        ('The model is called "MyONNXmodel" here: capitals count.'),
                    ):
                        init()
                    continue
                init()
                self.assertEqual(
                    json.loads(run('{"data": [[1, 2, 3]]}')),
                    {"error": "'list' object has no attribute 'tolist'"},
                )

    def test_time_is_not_imported(self):
        for name, blocks in HOW_TOS:
            script = find(blocks, "def init")
            if "time.time()" in script:
                with self.subTest(name):
                    init, run = self.load(script.replace("MyONNXModel", "MyONNXmodel"))
                    init()
                    self.assertEqual(
                        run('{"data": [[1, 2, 3]]}'), {"error": "name 'time' is not defined"}
                    )

    def test_corrected(self):
        """Both styles of returning."""
        styles = set()
        for name, blocks in HOW_TOS:
            with self.subTest(name):
                script = find(blocks, "def init")
                script = script.replace("MyONNXModel", "MyONNXmodel")
                script = script.replace(NO_TIME, NO_TIME + "import time\n")
                script = script.replace("result.tolist()", "result[0]")
                init, run = self.load(script)
                init()
                answer = run('{"data": [[1, 2, 3]]}')
                styles.add(type(answer))
                answer = json.loads(answer) if isinstance(answer, str) else answer
                self.assertIn(answer["result"], ([[2, 4, 6]], [[[2, 4, 6]]]))
        self.assertEqual(styles, {dict, str})


if __name__ == "__main__":
    unittest.main()
