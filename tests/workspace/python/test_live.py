# SPDX-License-Identifier: Apache-2.0
"""Against a real workspace service of the test's own: SLIPWAY_BIN is the folder of its programs."""

import json
import os
import subprocess
import unittest
from pathlib import Path

from azureml.core import Workspace
from azureml.core.image import ContainerImage
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice
from azureml.exceptions import WebserviceException, WorkspaceException
from case import ROOT, FolderCase
from documents import find, how_tos, model_bytes

BIN = os.environ.get("SLIPWAY_BIN", "")
DIGITS = ROOT / "templates" / "digits"
SECONDS = 120


def unknown_to(error):
    """Whether the service is of a build that does not know a field yet."""
    return error.code == "Request.Invalid" and "unknown" in str(error)


@unittest.skipUnless(BIN, "SLIPWAY_BIN is not set")
class LiveCase(FolderCase):
    """With `slipway up` in a state folder of its own."""

    def setUp(self):
        super().setUp()
        os.environ["SLIPWAY_STATE"] = str(self.folder / "state")
        self.slipway("up", "-q")
        self.addCleanup(self.slipway, "down", "-q")
        with self.printed():
            self.ws = Workspace.create("lab", subscription_id="sub", resource_group="group")
            self.ws.write_config()
            self.ws = Workspace.from_config()

    def slipway(self, *arguments):
        done = subprocess.run(
            [os.path.join(BIN, "slipway"), *arguments],
            timeout=SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def digits(self, **more):
        with self.printed():
            return Model.register(self.ws, str(DIGITS / "digits.onnx"), "digits", **more)

    def deploy(self, config=None, name="digits"):
        with self.printed() as self.out:
            service = Model.deploy(self.ws, name, [self.digits()], None, config)
            service.wait_for_deployment(show_output=True)
        return service

    def check_answers(self, service):
        labels = json.loads((DIGITS / "samples" / "labels.json").read_text())
        self.assertEqual(len(labels), 10)
        for sample in labels:
            answer = service.run((DIGITS / "samples" / sample["request"]).read_bytes())
            row = answer["probabilities"][0]
            self.assertEqual(row.index(max(row)), sample["predicted"])


class NoCodeTest(LiveCase):
    def test_from_model_to_answer(self):
        service = self.deploy(AciWebservice.deploy_configuration(tags={"a": "b"}, description="d"))
        self.assertEqual((service.state, service.error), ("Healthy", None))
        self.assertIsInstance(Webservice(self.ws, "digits"), AciWebservice)
        self.assertEqual((service.tags, service.description), ({"a": "b"}, "d"))
        self.check_answers(service)
        self.assertIn("serving", service.get_logs())
        self.assertEqual([model.id for model in service.image.models], ["digits:1"])
        self.assertEqual(list(self.ws.webservices), ["digits"])
        with self.fails(WebserviceException, "Model.InUse"):
            Model(self.ws, "digits").delete()
        with self.fails(WebserviceException, "Response Code: 400"):
            service.run("no json")
        with self.printed():
            service.update(image=service.image)
            service.wait_for_deployment()
        self.check_answers(service)
        service.add_tags({"c": "d"})
        service.remove_tags(["a"])
        self.assertEqual(Webservice(self.ws, "digits").tags, {"c": "d"})
        service.image.add_tags({"e": "f"})
        self.assertEqual(service.image.tags, {"e": "f"})
        service.delete()
        self.assertEqual(self.ws.webservices, {})
        self.ws.delete(delete_dependent_resources=True)
        with self.assertRaises(WorkspaceException):
            Workspace.get("lab")

    def test_models(self):
        model = self.digits(
            tags=["onnx"],
            properties={"p": "1"},
            description="test",
            model_framework=Model.Framework.ONNX,
            model_framework_version="1.3",
        )
        self.assertEqual(
            (model.id, model.tags, model.framework), ("digits:1", {"onnx": ""}, "Onnx")
        )
        model.add_tags({"x": "y z=é"})
        model.remove_tags(["onnx"])
        model.add_properties({"q": "2"})
        self.assertEqual(Model(self.ws, "digits").tags, {"x": "y z=é"})
        with self.fails(WebserviceException, "Code: Model.PropertyFixed"):
            model.add_properties({"p": "other"})
        self.digits()
        self.assertEqual([m.id for m in Model.list(self.ws, "digits")], ["digits:2", "digits:1"])
        self.assertEqual([m.id for m in Model.list(self.ws, tags=[["x", "y z=é"]])], ["digits:1"])
        self.assertEqual(self.ws.models["digits"].version, 2)
        path = Model.get_model_path("digits", _workspace=self.ws)
        self.assertEqual(Path(path).read_bytes(), (DIGITS / "digits.onnx").read_bytes())
        self.write("tree/a.txt", "A")
        self.write("tree/sub/b.txt", "B")
        with self.printed():
            tree = Model.register(self.ws, "tree", "tree")
        tree.download("copy")
        self.assertEqual(Path("copy/tree/sub/b.txt").read_text(), "B")
        with self.fails(WebserviceException, "Code: Model."):
            self.write("bad.onnx", "no model")
            with self.printed():
                Model.register(self.ws, "bad.onnx", "bad")

    def test_profile_leaves_nothing(self):
        sample = (DIGITS / "samples" / "digits_0.json").read_text()
        with self.printed():
            details = Model.profile(self.ws, "p", [self.digits()], None, sample).get_details()
        self.assertGreater(details["totalQueries"], 10)
        self.assertGreater(details["recommendedMemoryInGB"], 0)
        self.assertEqual((self.ws.webservices, self.ws.images), ({}, {}))

    def test_a_port_that_is_taken(self):
        first = self.deploy(LocalWebservice.deploy_configuration())
        config = LocalWebservice.deploy_configuration(port=first.port)
        with self.assertRaises(WebserviceException) as caught:
            self.deploy(config, "second")
        self.assertIn(str(first.port), str(caught.exception))

    def test_keys(self):
        try:
            service = self.deploy(AksWebservice.deploy_configuration())
        except WebserviceException as error:
            if unknown_to(error):
                self.skipTest("this slipwayd knows no deployment settings")
            raise
        self.assertTrue(service.auth_enabled)
        self.check_answers(service)
        before = service.get_keys()
        service.regen_key("Primary")
        self.assertNotEqual(service.get_keys()[0], before[0])
        self.assertEqual(service.get_keys()[1], before[1])
        self.check_answers(service)


@unittest.skipUnless(list(how_tos()), "the documents are not here")
class DocumentsTest(LiveCase):
    """The documents' flow on a real workspace: as they are written, and put right."""

    def blocks(self, blocks, change=lambda text: text):
        names = {}
        self.write("model.onnx", model_bytes())
        self.write("score.py", change(find(blocks, "def init")))
        with self.printed() as self.out:
            for mark in (
                "Workspace.from_config",
                "CondaDependencies",
                "Model.register",
                "ContainerImage",
            ):
                try:
                    exec(compile(find(blocks, mark), mark, "exec"), names)
                except WebserviceException as error:
                    if unknown_to(error):
                        self.skipTest("this slipwayd builds no images with scripts")
                    raise
        return names["image"]

    def test_as_they_are(self):
        """None can answer, and each is refused for its fault before an image is made."""
        for name, blocks in how_tos():
            with self.subTest(name):
                other_case = "'MyONNXModel'" in find(blocks, "def init")
                with self.assertRaises(WebserviceException) as refused:
                    self.blocks(blocks)
                text = str(refused.exception)
                self.assertIn("Image creation failed", text)
                self.assertIn("Script.ModelNameCase" if other_case else "Script.InputType", text)
                self.assertIn("'MyONNXmodel'" if other_case else "float32", text)

    def answer(self, image, name):
        """What a service of the image answers."""
        with self.printed():
            service = Webservice.deploy_from_image(
                self.ws, name, image, AciWebservice.deploy_configuration()
            )
            service.wait_for_deployment(show_output=True)
        answer = service.run('{"data": [[-1, 2, 3]]}')
        service.delete()
        return json.loads(answer) if isinstance(answer, str) else answer

    def test_put_right(self):
        for number, (name, blocks) in enumerate(how_tos()):
            with self.subTest(name):
                image = self.blocks(blocks, put_right)
                self.assertIsInstance(image, ContainerImage)
                answer = self.answer(image, f"onnx-{number}")
                self.assertIn(answer.get("result"), ([[0, 2, 3]], [[[0, 2, 3]]]), answer)


def put_right(script):
    """A document's script without its faults."""
    for wrong, right in (
        ("MyONNXModel", "MyONNXmodel"),
        ("import json\n", "import json\nimport time\n"),
        ("np.array(data)", "np.array(data).astype('float32')"),
        ("result.tolist()", "result[0].tolist()"),
    ):
        script = script.replace(wrong, right)
    return script


if __name__ == "__main__":
    unittest.main()
