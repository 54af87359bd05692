# SPDX-License-Identifier: Apache-2.0
"""Images: what is sent, what is printed, what is raised (3.4)."""

import os
import unittest
from pathlib import Path

from azureml.core.container_registry import ContainerRegistry
from azureml.core.environment import Environment
from azureml.core.image import ContainerImage, Image
from azureml.core.model import InferenceConfig, Model
from azureml.exceptions import NotAvailableException, UserErrorException, WebserviceException
from case import StubCase
from stub import Refusal


class CreateTest(StubCase):
    def setUp(self):
        super().setUp()
        self.write("score.py", "the script")
        self.model = self.register()

    def configure(self, **more):
        return ContainerImage.image_configuration(
            execution_script="score.py", runtime="python", **more
        )

    def create(self, config=None, **more):
        with self.printed() as self.out:
            image = ContainerImage.create(
                name="im",
                models=[self.model],
                workspace=self.ws,
                image_config=config or self.configure(**more),
            )
        return image

    def sent(self):
        return self.stub.bodies("POST", "/images")[-1]

    def content(self, entry):
        return self.stub.blobs[entry["digest"]].decode()

    def test_all_of_a_configuration(self):
        self.write("myenv.yml", "dependencies")
        self.write("Dockerfile", "RUN true")
        self.write("lib/util.py", "util")
        self.write("data/deep/table.csv", "table")
        self.create(
            conda_file="myenv.yml",
            docker_file="Dockerfile",
            tags=["onnx"],
            properties={"p": 1},
            description="test",
            enable_gpu=True,
            dependencies=["lib/util.py", "data"],
            base_image="team/base:1",
            base_image_registry=ContainerRegistry("registry.example.org"),
        )
        sent = self.sent()
        self.assertEqual(sent["models"], ["m:1"])
        self.assertEqual((sent["tags"], sent["properties"]), ({"onnx": ""}, {"p": "1"}))
        self.assertEqual((sent["description"], sent["gpu"]), ("test", True))
        self.assertEqual(sent["base"], "registry.example.org/team/base:1")
        self.assertEqual(
            {
                e["path"]: self.content(e)
                for e in [sent["script"], sent["conda"], sent["docker_file"], *sent["dependencies"]]
            },
            {
                "score.py": "the script",
                "myenv.yml": "dependencies",
                "Dockerfile": "RUN true",
                "util.py": "util",
                "data/deep/table.csv": "table",
            },
        )

    def test_base_image_as_the_notebooks_set_it(self):
        config = self.configure()
        config.base_image = "myregistry.azurecr.io/mycustomimage:1.0"
        config.base_image_registry.address = "myregistry.azurecr.io"
        self.create(config)
        self.assertEqual(self.sent()["base"], "myregistry.azurecr.io/mycustomimage:1.0")

    def test_what_is_printed(self):
        image = self.create()
        self.assertEqual(self.out.lines(), ["Creating image"])
        self.assertEqual((image.creation_state, image.id), ("Running", "im:1"))
        with self.printed() as out:
            image.wait_for_creation(show_output=True)
        first, last = out.lines()
        self.assertRegex(first, r"^Running\.+$")
        self.assertEqual(
            last,
            "SucceededImage creation operation finished for image im:1, " 'operation "Succeeded"',
        )
        self.assertEqual(image.creation_state, "Succeeded")
        with self.printed() as out:
            image.wait_for_creation()
        self.assertEqual(
            out.lines(), ['Image creation operation finished for image im:1, operation "Succeeded"']
        )

    def test_a_build_that_fails(self):
        self.stub.image_outcome = {
            "error": "no wheel for x==1",
            "error_code": "Python.NoWheel",
            "fix": "pin x==2",
            "error_cause": "",
        }
        image = self.create()
        with self.printed() as out, self.assertRaises(WebserviceException) as caught:
            image.wait_for_creation(show_output=True)
        self.assertEqual(
            str(caught.exception),
            (
                "Image creation failed with\nStatusCode: 400\nMessage: no wheel for x==1\n"
                "Code: Python.NoWheel\nFix: pin x==2"
            ),
        )
        self.assertEqual(caught.exception.code, "Python.NoWheel")
        self.assertTrue(out.lines()[-1].endswith('image im:1, operation "Failed"'))
        self.assertEqual(image.creation_state, "Failed")

    def test_warnings_of_the_build_are_said(self):
        image = self.create()
        self.stub.images["im:1"]["warnings"] = [
            {"code": "Python.Version", "line": 0, "message": "3.6.2 cannot be had", "fix": "3.11"},
            {"code": "Script.Float", "line": 7, "message": "float64", "fix": ""},
        ]
        with self.printed(), self.noticed() as texts:
            image.wait_for_creation()
        self.assertEqual(
            texts,
            [
                "image im:1: 3.6.2 cannot be had (Python.Version) Fix: 3.11",
                "image im:1 line 7: float64 (Script.Float)",
            ],
        )

    def test_refused_before_it_is_built(self):
        self.stub.fail_next(None)
        config = self.configure()
        # The script's blob is asked for and sent first.
        self.stub.fail_next(None)
        self.stub.fail_next(
            Refusal(400, "Preflight.Failed", "score.py line 10: no import time", "import time")
        )
        with self.fails(
            WebserviceException,
            (
                "Image creation failed with\nStatusCode: 400\nMessage: score.py line 10: no import "
                "time\nCode: Preflight.Failed\nFix: import time"
            ),
        ):
            self.create(config)

    def test_bad_configurations(self):
        for more, why in (
            ({"conda_file": "no.yml"}, "conda_file: there is no file no.yml"),
            ({"docker_file": "no"}, "docker_file: there is no file no"),
            ({"dependencies": ["no"]}, "dependencies: there is no file or folder no"),
            ({"tags": "onnx"}, "tags must be a dict or a list of strings"),
            ({"cuda_version": "99"}, 'cuda_version "99" is none of'),
        ):
            with self.assertRaisesRegex((WebserviceException, UserErrorException), why):
                self.configure(**more)
        with self.fails(WebserviceException, 'runtime "r" is none of python, spark-py'):
            ContainerImage.image_configuration("score.py", "r")
        with self.fails(WebserviceException, "execution_script: there is no file no.py"):
            ContainerImage.image_configuration("no.py", "python")
        absolute = str(Path.cwd() / "score.py")
        with self.fails(WebserviceException, "is an absolute path"):
            ContainerImage.image_configuration(absolute, "python")
        config = ContainerImage.image_configuration(absolute, "python", allow_absolute_path=True)
        self.create(config)
        self.assertEqual(self.sent()["script"]["path"], "score.py")
        config = ContainerImage.image_configuration(entry_script="score.py", runtime="spark-py")
        with self.fails(NotAvailableException, 'use runtime "python"'):
            self.create(config)

    def test_one_dependency_may_be_bare(self):
        self.write("u.py", "util")
        self.create(dependencies="u.py")
        self.assertEqual([e["path"] for e in self.sent()["dependencies"]], ["u.py"])

    def test_two_dependencies_of_one_name(self):
        self.write("a/u.py", "1")
        self.write("b/u.py", "2")
        with self.fails(UserErrorException, "would both be u.py"):
            self.create(dependencies=["a/u.py", "b/u.py"])

    def test_secrets_of_a_registry_are_not_sent(self):
        with self.noticed() as texts:
            self.create(base_image="b", base_image_registry=ContainerRegistry("r", "me", "s3cret"))
        self.assertNotIn("s3cret", str(self.stub.requests))
        self.assertIn("accepted and not sent", texts[0])

    def test_ignored(self):
        self.write("schema.json", "{}")
        with self.noticed() as texts:
            self.configure(schema_file="schema.json", cuda_version="10.0")
        self.assertEqual(len(texts), 2)


class ImageTest(StubCase):
    def test_attributes(self):
        image = self.image("im", tags={"a": "b"}, description="d")
        self.assertEqual((image.name, image.version, image.id), ("im", 1, "im:1"))
        self.assertEqual((image.image_type, image.image_flavor), ("Docker", "WebApiContainer"))
        self.assertEqual((image.tags, image.description), ({"a": "b"}, "d"))
        self.assertEqual([model.id for model in image.models], ["m:1"])
        self.assertTrue(
            image.image_build_log_uri.endswith("/api/v1/workspaces/lab/images/im/versions/1/logs")
        )
        self.assertEqual(image.image_location, "im:1")
        self.assertEqual(image.serialize()["modelIds"], ["m:1"])
        self.assertIn("done", image.get_logs())

    def test_look_up_and_list(self):
        self.image("a")
        self.image("a", tags=["t"])
        self.image("b", models=[self.register("other")])
        self.assertEqual(Image(self.ws, "a").version, 2)
        self.assertEqual(ContainerImage(self.ws, id="a:1").version, 1)
        self.assertIsInstance(Image.list(self.ws)[0], ContainerImage)
        ids = [image.id for image in ContainerImage.list(self.ws)]
        self.assertEqual(ids, ["b:1", "a:2", "a:1"])
        self.assertEqual([i.id for i in Image.list(self.ws, image_name="a")], ["a:2", "a:1"])
        self.assertEqual([i.id for i in Image.list(self.ws, tags=["t"])], ["a:2"])
        self.assertEqual([i.id for i in Image.list(self.ws, model_name="other")], ["b:1"])
        self.assertEqual([i.id for i in Image.list(self.ws, model_id="other:1")], ["b:1"])
        for query in ({"name": "no"}, {"id": "a:9"}, {"name": "a", "tags": ["no"]}):
            with self.fails(WebserviceException, "ImageNotFound"):
                Image(self.ws, **query)
        with self.assertRaises(UserErrorException):
            Image(self.ws)

    def test_delete(self):
        service = self.service()
        image = Image(self.ws, "im")
        with self.fails(WebserviceException, "Image.InUse"):
            image.delete()
        service.delete()
        image.delete()
        self.assertEqual(self.stub.images, {})

    def test_tags_and_properties_change(self):
        image = self.image(tags={"old": "1"})
        image.add_tags({"a": "b"})
        image.remove_tags(["old"])
        image.add_properties({"p": "q"})
        self.assertEqual((image.tags, image.properties), ({"a": "b"}, {"p": "q"}))
        with self.fails(WebserviceException, 'property "p" cannot be changed'):
            image.add_properties({"p": "other"})
        image.update(tags={"c": "d"})
        self.assertEqual(Image(self.ws, "im").tags, {"c": "d"})

    def test_run(self):
        with self.printed():
            self.assertEqual(self.image().run('{"data": 1}'), {"got": '{"data": 1}'})
        self.assertEqual(self.stub.services, {})


class PackageTest(StubCase):
    def inference(self, **more):
        self.write("src/score.py", "script")
        self.write("src/lib/u.py", "util")
        self.write("src/env.yml", "dependencies:\n- pip:\n  - a\n")
        for folder in (".azureml", ".git/objects", "__pycache__", "lib/.ipynb_checkpoints"):
            self.write(f"src/{folder}/secret")
        return InferenceConfig("score.py", source_directory="src", conda_file="env.yml", **more)

    def test_inference_config(self):
        with self.printed():
            Model.package(self.ws, [self.register()], self.inference())
        sent = self.stub.bodies("POST", "/images")[0]
        self.assertEqual(sent["name"], "m-package")
        self.assertEqual(sent["script"]["path"], "score.py")
        self.assertEqual([e["path"] for e in sent["dependencies"]], ["env.yml", "lib/u.py"])
        self.assertEqual(sent["conda"]["path"], "env.yml")
        self.write("src/.amlignore", "lib/\n.amlignore\n*.yml\n")
        with self.printed():
            Model.package(self.ws, [Model(self.ws, "m")], self.inference())
        sent = self.stub.bodies("POST", "/images")[1]
        self.assertEqual(sent["dependencies"], [], "what .amlignore names stays at home")
        self.assertEqual(sent["conda"]["path"], "env.yml", "what is asked for by name does not")
        self.write("src/.amlignore", "*.py\n")
        os.symlink("/etc/passwd", "src/link")
        for config, why in (
            (self.inference(), "link is a link to /etc/passwd\nFix: "),
            (InferenceConfig("no.py", source_directory="src"), "there is no file src/no.py"),
            (
                InferenceConfig("score.py", source_directory="no"),
                "source_directory no is no folder",
            ),
            (InferenceConfig("../m.bin", source_directory="src"), "is not in src"),
        ):
            with self.assertRaisesRegex(Exception, why):
                Model.package(self.ws, [Model(self.ws, "m")], config)
        os.unlink("src/link")
        with self.fails(UserErrorException, "score.py is left out by an ignore file of src"):
            Model.package(self.ws, [Model(self.ws, "m")], self.inference())
        self.write("src/.amlignore", "")
        self.write("src/code/entry.py", "script")
        nested = InferenceConfig("code/entry.py", source_directory="src")
        with self.printed():
            Model.package(self.ws, [Model(self.ws, "m")], nested)
        sent = self.stub.bodies("POST", "/images")[2]
        self.assertEqual(sent["script"]["path"], "code/entry.py", "at its path in the folder")

    def test_environment(self):
        environment = Environment("e")
        environment.python.conda_dependencies.add_pip_package("numpy")
        environment.docker.base_image = "debian:12"
        environment.docker.base_dockerfile = "RUN true\n"
        environment.environment_variables["A"] = "b"
        self.write("score.py")
        with self.printed(), self.noticed() as texts:
            Model.package(
                self.ws, [self.register()], InferenceConfig("score.py", environment=environment)
            )
        sent = self.stub.bodies("POST", "/images")[0]
        self.assertIn(b"  - numpy\n", self.stub.blobs[sent["conda"]["digest"]])
        self.assertEqual(self.stub.blobs[sent["docker_file"]["digest"]], b"RUN true\n")
        self.assertEqual(sent["base"], "debian:12")
        self.assertIn("variable A is accepted and ignored", texts[0])

    def test_save(self):
        with self.printed():
            package = Model.package(
                self.ws, [self.register()], self.inference(), generate_dockerfile=True
            )
            package.wait_for_creation(show_output=True)
        package.save("out")
        self.assertEqual(sorted(os.listdir("out")), ["Dockerfile", "m-package-1.tar"])
        self.assertEqual(Path("out/Dockerfile").read_text(), "FROM scratch\n")
        self.assertIn("done", package.get_logs())
        self.assertEqual(package.get_container_registry().address, "")

    def test_pull_without_docker(self):
        with self.printed():
            package = Model.package(self.ws, [self.register()])
            package.wait_for_creation()
        os.environ["PATH"] = str(self.folder)
        with self.fails(WebserviceException, "there is no docker on this machine"):
            package.pull()


if __name__ == "__main__":
    unittest.main()
