# SPDX-License-Identifier: Apache-2.0
"""Importing is light: scoring scripts pay for it at every start."""

import subprocess
import sys
import unittest

from case import ROOT, FolderCase

HEAVY = "numpy http.client ssl socket urllib.request asyncio json logging typing yaml requests"


def fresh(code):
    """What a new Python prints."""
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'workspace' / 'python')!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", path + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode().strip()


class ImportTest(FolderCase):
    def test_model_is_light(self):
        code = (
            "import time; before = set(sys.modules); begin = time.perf_counter()\n"
            "from azureml.core.model import Model\n"
            "print(time.perf_counter() - begin)\n"
            f"print([n for n in '{HEAVY}'.split() if n in set(sys.modules) - before])"
        )
        fresh(code)  # compiles
        best = min(float(fresh(code).splitlines()[0]) for _ in range(5))
        self.assertLess(best, 0.050)
        self.assertEqual(fresh(code).splitlines()[1], "[]")

    def test_azureml_is_a_namespace(self):
        self.assertEqual(fresh("import azureml; print(azureml.__file__)"), "None")
        for package in ("azureml", "azureml/contrib"):
            self.assertFalse((ROOT / "workspace" / "python" / package / "__init__.py").exists())

    def test_names_that_notebooks_import(self):
        for line in (
            "import azureml.core; assert azureml.core.VERSION",
            "from azureml.core import Workspace, Experiment, Dataset, Datastore, Run, Environment",
            "from azureml.core import Model, Webservice, Image, ComputeTarget, Keyvault",
            "from azureml.core.workspace import Workspace",
            "from azureml.core.model import Model, InferenceConfig",
            "from azureml.core.image import ContainerImage, Image",
            "from azureml.core.conda_dependencies import CondaDependencies",
            "from azureml.core.webservice import Webservice, AciWebservice, AksWebservice",
            "from azureml.core.webservice import LocalWebservice, AksEndpoint",
            "from azureml.core.webservice import WebserviceException",
            "from azureml.core.compute import AksCompute, ComputeTarget, AmlCompute",
            "from azureml.core.compute_target import ComputeTargetException",
            "from azureml.core.environment import Environment",
            "from azureml.core.experiment import Experiment",
            "from azureml.core.run import Run",
            "from azureml.core.runconfig import RunConfiguration",
            "from azureml.core.script_run_config import ScriptRunConfig",
            "from azureml.core.container_registry import ContainerRegistry",
            "from azureml.core.resource_configuration import ResourceConfiguration",
            "from azureml.core.authentication import ServicePrincipalAuthentication",
            "from azureml.core.authentication import InteractiveLoginAuthentication",
            "from azureml.core.authentication import TokenAuthentication",
            "from azureml.exceptions import WebserviceException, UserErrorException",
            "from azureml.exceptions import ProjectSystemException, ModelNotFoundException",
        ):
            with self.subTest(line):
                fresh(line)

    def test_unknown_name(self):
        with self.assertRaises(ImportError):
            from azureml.core import NoSuchThing  # noqa: F401


if __name__ == "__main__":
    unittest.main()
