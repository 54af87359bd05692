# SPDX-License-Identifier: Apache-2.0
"""Every row of the table in workspace/python/README.md is as it says."""

import importlib
import re
import unittest
from pathlib import Path

from azureml.core import authentication, compute, environment, image, model, webservice, workspace
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.inference_config import InferenceConfig
from azureml.exceptions import NotAvailableException, UserErrorException
from case import ROOT, StubCase

ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| (.*)\|$", re.MULTILINE)
MODULES = (workspace, model, image, webservice, compute, environment, authentication)


def rows():
    text = (ROOT / "workspace" / "python" / "README.md").read_text(encoding="utf-8")
    return ROW.findall(text)


def look_up(name):
    """The class, or the member of a class, that a row names."""
    first, _, rest = name.partition("(")[0].partition(".")
    found = {"CondaDependencies": CondaDependencies, "InferenceConfig": InferenceConfig}.get(first)
    for module in MODULES:
        found = found or getattr(module, first, None)
    if found is None:
        found = getattr(importlib.import_module("azureml.core"), first)
    return getattr(found, rest) if rest and "_why" not in vars(found) else found


class TableTest(StubCase):
    def setUp(self):
        super().setUp()
        self.write("score.py")
        self.write("schema.json", "{}")

    def ignored(self):
        """What to do for each row that says `ignored`."""
        aks, aci = webservice.AksWebservice, webservice.AciWebservice
        return {
            "Workspace.create(key_vault)": lambda: workspace.Workspace.create("w2", key_vault="k"),
            "Model.register(datasets)": lambda: self.register(datasets=[1]),
            "Model.package(image_label)": lambda: model.Model.package(
                self.ws, [self.register()], image_label="x"
            ),
            "ContainerImage.image_configuration(schema_file)": lambda: self.configure(
                schema_file="schema.json"
            ),
            "Environment.register": lambda: environment.Environment("e").register(self.ws),
            "Environment.environment_variables": self.deploy_with_variables,
            "AksWebservice.deploy_configuration(num_replicas)": lambda: self.service(
                config=aks.deploy_configuration(num_replicas=2)
            ),
            "AciWebservice.deploy_configuration(enable_app_insights)": lambda: self.service(
                config=aci.deploy_configuration(enable_app_insights=True)
            ),
            "ComputeTarget.create": lambda: compute.ComputeTarget.create(self.ws, "c", None),
            "ServicePrincipalAuthentication": lambda: (
                authentication.ServicePrincipalAuthentication("t", "i", "p")
            ),
        }

    def absent(self):
        """What to do for each row that says `absent`."""
        core = importlib.import_module("azureml.core")
        return {
            "Workspace.get_default_datastore": self.ws.get_default_datastore,
            "Workspace.get_default_keyvault": self.ws.get_default_keyvault,
            "Model.profile(input_dataset)": lambda: model.Model.profile(
                self.ws, "p", [], None, input_dataset=1
            ),
            "ContainerImage.image_configuration(spark-py)": lambda: image.ContainerImage.create(
                self.ws, "i", [], self.configure(runtime="spark-py")
            ),
            "Environment.get": lambda: environment.Environment.get(self.ws, "AzureML-Minimal"),
            "Webservice.get_token": lambda: self.service().get_token(),
            "AksEndpoint": webservice.AksEndpoint,
            "AmlCompute": lambda: compute.AmlCompute.provisioning_configuration(vm_size="x"),
            "Run": core.Run,
            "Experiment": lambda: core.Experiment(self.ws, "e"),
        }

    def configure(self, runtime="python", **more):
        return image.ContainerImage.image_configuration("score.py", runtime, **more)

    def deploy_with_variables(self):
        made = environment.Environment("e")
        made.environment_variables = {"A": "b"}
        model.Model.package(
            self.ws, [], InferenceConfig("score.py", environment=made), image_name="x"
        )

    def names(self, state):
        return [name for name, found, _ in rows() if found == state]

    def test_states(self):
        self.assertGreater(len(rows()), 60)
        self.assertEqual({state for _, state, _ in rows()}, {"works", "ignored", "absent"})
        names = [name for name, _, _ in rows()]
        self.assertEqual(len(names), len(set(names)))

    def test_works(self):
        """There, and tried by a test that uses its name."""
        folder = Path(__file__).resolve().parent
        tests = "".join(
            path.read_text(encoding="utf-8")
            for path in folder.glob("test_*.py")
            if path.name != Path(__file__).name
        )
        for name in self.names("works"):
            with self.subTest(name):
                look_up(name)
                self.assertTrue(name.rpartition(".")[2] in tests, "no test uses it")

    def test_ignored(self):
        recipes = self.ignored()
        self.assertEqual(sorted(recipes), sorted(self.names("ignored")))
        for name, use in recipes.items():
            with self.subTest(name):
                if "environment_variables" not in name:
                    look_up(name)
                self.assertTrue(self.notices_of(use))
                self.assertEqual(self.notices_of(use), [])

    def notices_of(self, use):
        """What is said when it is used, each time as if for the first time on the service."""
        self.stub.workspaces.pop("w2", None)
        self.stub.services.clear()
        with self.noticed() as texts, self.printed():
            use()
        return texts

    def test_absent(self):
        recipes = self.absent()
        self.assertEqual(sorted(recipes), sorted(self.names("absent")))
        for name, use in recipes.items():
            with self.subTest(name):
                with self.printed(), self.assertRaises(NotAvailableException) as caught:
                    use()
                self.assertIsInstance(caught.exception, NotImplementedError)
                self.assertIsInstance(caught.exception, UserErrorException)
                self.assertRegex(str(caught.exception), r" is not there on a Slipway workspace: .+")


if __name__ == "__main__":
    unittest.main()
