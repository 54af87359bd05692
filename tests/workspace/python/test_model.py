# SPDX-License-Identifier: Apache-2.0
"""Models: registering, finding, fetching, changing (3.2)."""

import os
import unittest
from pathlib import Path

from azureml.core.model import Model
from azureml.exceptions import (
    ModelNotFoundException,
    ModelPathNotFoundException,
    ServiceException,
    UserErrorException,
    WebserviceException,
)
from case import FolderCase, StubCase


class RegisterTest(StubCase):
    def test_a_file(self):
        self.write("deep/model.onnx", b"onnx")
        with self.printed() as out:
            model = Model.register(
                model_path="deep/model.onnx",
                model_name="MyONNXmodel",
                tags=["onnx"],
                description="test",
                workspace=self.ws,
            )
        self.assertEqual(out.lines(), ["Registering model MyONNXmodel"])
        self.assertEqual((model.id, model.name, model.version), ("MyONNXmodel:1", "MyONNXmodel", 1))
        self.assertEqual((model.tags, model.description), ({"onnx": ""}, "test"))
        self.assertEqual([f["path"] for f in model._record["files"]], ["model.onnx"])
        self.assertEqual(model.created_time.year, 2026)
        self.assertEqual(self.register("MyONNXmodel").version, 2)

    def test_tags_and_properties_as_dicts(self):
        model = self.register(
            tags={"area": "digits", "n": 1, "none": None},
            properties={"p": 2.5},
            model_framework=Model.Framework.ONNX,
            model_framework_version="1.3",
        )
        self.assertEqual(model.tags, {"area": "digits", "n": "1", "none": ""})
        self.assertEqual(model.properties, {"p": "2.5"})
        self.assertEqual((model.framework, model.framework_version), ("Onnx", "1.3"))

    def test_a_folder_keeps_its_name(self):
        self.write("models/a.bin")
        self.write("models/sub/b.bin")
        with self.printed():
            model = Model.register(self.ws, "models/", "m")
            os.chdir("models")
            here = Model.register(self.ws, ".", "m")
        for each in (model, here):
            self.assertEqual(
                [f["path"] for f in each._record["files"]], ["models/a.bin", "models/sub/b.bin"]
            )

    def test_child_paths(self):
        for name in ("a", "b", "c/d", "c/e"):
            self.write(f"models/{name}")
        with self.printed():
            model = Model.register(self.ws, "models", "m", child_paths=["a", "c", "c/d"])
        self.assertEqual(
            [f["path"] for f in model._record["files"]], ["models/a", "models/c/d", "models/c/e"]
        )
        for children, kind, why in (
            (["../x"], UserErrorException, "is not below"),
            (["/etc"], UserErrorException, "is not below"),
            (["no"], ModelPathNotFoundException, "there is no no"),
        ):
            with self.fails(kind, why):
                Model.register(self.ws, "models", "m", child_paths=children)
        with self.fails(UserErrorException, "child_paths needs a folder"):
            Model.register(self.ws, "models/a", "m", child_paths=["a"])

    def test_nothing_there(self):
        for path in ("no.onnx", "no/folder"):
            with self.fails(ModelPathNotFoundException, f"no file or folder {path}"):
                Model.register(self.ws, path, "m")
        os.mkdir("empty")
        with self.fails(UserErrorException, "has no files"):
            Model.register(self.ws, "empty", "m")
        self.assertEqual(self.stub.models, {})

    def test_bad_tags(self):
        for tags in ("onnx", 7, [7]):
            with self.fails(UserErrorException, "tags must be a dict or a list of strings"):
                self.register(tags=tags)

    def test_a_blob_that_is_there_is_not_sent_again(self):
        self.register("a", "same")
        self.register("b", "same")
        puts = [path for method, path, _ in self.stub.requests if method == "PUT"]
        self.assertEqual(len(puts), 1)

    def test_ignored_arguments(self):
        with self.noticed() as texts:
            self.register(datasets=[1])
        self.assertIn("Model.register: datasets is accepted and ignored", texts[0])


class FindTest(StubCase):
    def setUp(self):
        super().setUp()
        self.register("a", tags={"k": "1"})
        self.register("a", tags={"k": "2"}, properties={"p": "x"})
        self.register("a")
        self.register("b", tags=["k"])

    def ids(self, **query):
        return [model.id for model in Model.list(self.ws, **query)]

    def test_list(self):
        self.assertEqual(self.ids(), ["b:1", "a:3", "a:2", "a:1"])
        self.assertEqual(self.ids(name="a"), ["a:3", "a:2", "a:1"])
        self.assertEqual(self.ids(latest=True), ["b:1", "a:3"])
        self.assertEqual(self.ids(tags=["k"]), ["b:1", "a:2", "a:1"])
        self.assertEqual(self.ids(tags=[["k", "2"]]), ["a:2"])
        self.assertEqual(self.ids(tags=["k", ["k", "1"]]), ["a:1"])
        self.assertEqual(self.ids(properties=["p"]), ["a:2"])
        self.assertEqual(self.ids(run_id="r"), [])
        with self.fails(UserErrorException, "is neither 'key' nor ['key', 'value']"):
            self.ids(tags=[["a", "b", "c"]])

    def test_one(self):
        self.assertEqual(Model(self.ws, "a").version, 3)
        self.assertEqual(Model(self.ws, name="a", version=2).id, "a:2")
        self.assertEqual(Model(self.ws, id="a:1").tags, {"k": "1"})
        self.assertEqual(Model(self.ws, "a", tags=["k"]).version, 2)

    def test_none(self):
        for query in ({"name": "c"}, {"name": "a", "version": 9}, {"id": "a:7"}):
            with self.fails(ModelNotFoundException, "ModelNotFound: "):
                Model(self.ws, **query)
        with self.assertRaises(WebserviceException) as caught:
            Model(self.ws, "c")
        self.assertEqual(
            (caught.exception.status_code, caught.exception.code), (404, "Model.NotFound")
        )
        with self.fails(WebserviceException, "named by its name, or by its id"):
            Model(self.ws)
        with self.fails(WebserviceException, "differ"):
            Model(self.ws, name="b", id="a:1")
        with self.fails(ModelNotFoundException, "has these tags"):
            Model(self.ws, "b", tags=["no"])


class ChangeTest(StubCase):
    def test_tags_properties_description(self):
        model = self.register(tags={"a": "1", "b": "2"}, properties={"p": "1"})
        model.add_tags({"c": 3})
        model.remove_tags(["a"])
        model.add_properties({"q": "2"})
        model.update(description="new")
        self.assertEqual(model.tags, {"b": "2", "c": "3"})
        self.assertEqual(model.properties, {"p": "1", "q": "2"})
        self.assertEqual(model.description, "new")
        model.update(tags=["only"])
        self.assertEqual(model.tags, {"only": ""})
        model.update_tags_properties(add_tags={"x": "y"}, remove_tags="only")
        self.assertEqual(Model(self.ws, "m").tags, {"x": "y"})
        with self.fails(WebserviceException, "cannot be changed"):
            model.add_properties({"p": "2"})

    def test_delete(self):
        model = self.register()
        service = self.service()
        used = Model(self.ws, "m")
        with self.fails(WebserviceException, "Model.InUse"):
            used.delete()
        service.delete()
        used.delete()
        model.delete()
        self.assertEqual(self.stub.models, {})

    def test_serialize(self):
        model = self.register(tags={"a": "1"})
        payload = model.serialize()
        self.assertEqual(
            (payload["id"], payload["tags"], payload["createdTime"]),
            ("m:1", {"a": "1"}, "2026-01-02T03:04:05Z"),
        )
        self.assertEqual(Model.deserialize(self.ws, payload).id, "m:1")
        with self.fails(WebserviceException, "a serialized model"):
            Model.deserialize(self.ws, {})


class DownloadTest(StubCase):
    def folder_model(self):
        self.write("src/a", "A")
        self.write("src/sub/b", "B")
        with self.printed():
            return Model.register(self.ws, "src", "folder")

    def test_a_file(self):
        model = self.register(content="bytes")
        self.assertEqual(Path(model.download("to")), Path("to/m.bin"))
        self.assertEqual(Path("to/m.bin").read_text(), "bytes")
        with self.fails(WebserviceException, "exist_ok=True"):
            model.download("to")
        model.download("to", exist_ok=True)
        self.assertEqual(os.listdir("to"), ["m.bin"])

    def test_a_folder(self):
        self.assertEqual(Path(self.folder_model().download("to")), Path("to/src"))
        self.assertEqual(Path("to/src/sub/b").read_text(), "B")

    def test_damaged_on_the_way(self):
        model = self.register(content="good")
        for digest in self.stub.blobs:
            self.stub.blobs[digest] = b"evil"
        with self.fails(ServiceException, "came damaged"):
            model.download("to")
        self.assertEqual(os.listdir("to"), [])

    def test_a_service_that_names_files_elsewhere(self):
        model = self.register()
        for path in ("../evil", "/etc/evil", "a/../../evil", ""):
            model._record["files"][0]["path"] = path
            with self.fails(ServiceException, "outside its folder"):
                model.download("to")

    def test_get_model_path_with_a_workspace(self):
        self.register(content="one")
        self.register(content="two")
        path = Model.get_model_path("m", _workspace=self.ws)
        self.assertEqual(Path(path), Path("azureml-models/m/2/m.bin"))
        self.assertEqual(Path(path).read_text(), "two")
        self.assertEqual(Path(Model.get_model_path("m", 1, self.ws)).read_text(), "one")
        self.stub.requests.clear()
        Model.get_model_path("m", 1, self.ws)
        self.assertEqual(self.stub.requests, [])
        self.assertEqual(sorted(os.listdir("azureml-models/m")), ["1", "2"])
        folder = self.folder_model()
        self.assertEqual(
            Path(Model.get_model_path(folder.name, _workspace=self.ws)),
            Path("azureml-models/folder/1/src"),
        )
        with self.assertRaises(ModelNotFoundException):
            Model.get_model_path("no", _workspace=self.ws)


class PathTest(FolderCase):
    """As in an image, where there is no workspace."""

    def test_file_folder_and_several(self):
        self.write("azureml-models/one/1/model.onnx")
        self.write("azureml-models/tree/3/top/a")
        self.write("azureml-models/many/1/a")
        self.write("azureml-models/many/1/b")
        self.assertEqual(Model.get_model_path("one"), "azureml-models/one/1/model.onnx")
        self.assertEqual(Model.get_model_path("tree"), "azureml-models/tree/3/top")
        self.assertEqual(Model.get_model_path(model_name="many"), "azureml-models/many/1")

    def test_the_newest_is_by_number(self):
        for version in ("2", "10", "9", "x"):
            self.write(f"azureml-models/m/{version}/f")
        self.assertEqual(Model.get_model_path("m"), "azureml-models/m/10/f")
        self.assertEqual(Model.get_model_path("m", version=2), "azureml-models/m/2/f")
        with self.fails(ModelNotFoundException, 'Version 3 of "m" is not here, only [2, 9, 10].'):
            Model.get_model_path("m", 3)

    def test_environment_of_an_image(self):
        self.write(self.folder / "app/azureml-models/m/4/f")
        app = str(self.folder / "app")
        for variables in (
            {"AML_APP_ROOT": app},
            {"AZUREML_MODEL_DIR": f"{app}/azureml-models/m/4"},
            {"AZUREML_MODEL_DIR": f"{app}/azureml-models/m/4/"},
            {"AZUREML_MODEL_DIR": f"{app}/azureml-models"},
        ):
            with self.subTest(variables):
                os.environ.update(variables)
                self.assertEqual(
                    os.path.normpath(Model.get_model_path("m")), f"{app}/azureml-models/m/4/f"
                )
                for name in variables:
                    del os.environ[name]

    def test_a_file_of_that_name(self):
        self.write("model.pkl")
        self.assertEqual(Model.get_model_path("model.pkl"), "model.pkl")

    def test_not_found(self):
        text = (
            "Model not found in cache or in root at ./m. "
            "For more info,set logging level to DEBUG."
        )
        with self.assertRaises(ModelNotFoundException) as caught:
            Model.get_model_path("m")
        self.assertEqual(str(caught.exception), text)
        with self.assertLogs("azureml.core.model", "DEBUG"):
            with self.assertRaises(ModelNotFoundException):
                Model.get_model_path("m")

    def test_capitals_count(self):
        self.write("azureml-models/MyONNXmodel/1/model.onnx")
        with self.fails(ModelNotFoundException, 'The model is called "MyONNXmodel" here'):
            Model.get_model_path(model_name="MyONNXModel")
        with self.fails(ModelNotFoundException, "The models here are: MyONNXmodel."):
            Model.get_model_path("other")

    def test_no_name(self):
        for name in ("", None, 7):
            with self.assertRaises(UserErrorException):
                Model.get_model_path(name)


if __name__ == "__main__":
    unittest.main()
