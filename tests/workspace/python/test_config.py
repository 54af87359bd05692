# SPDX-License-Identifier: Apache-2.0
"""Which workspace is meant: the search of 3.1, and what this client adds to the file."""

import json
import os
import stat
import unittest
from pathlib import Path

from azureml.core import Workspace
from azureml.exceptions import (
    AuthenticationException,
    ServiceException,
    UserErrorException,
    WorkspaceException,
)
from case import StubCase

THREE = {"subscription_id": "sub", "resource_group": "group", "workspace_name": "lab"}


class ConfigTest(StubCase):
    def config(self, place, **more):
        return self.write(place, json.dumps({**THREE, **more}))

    def found(self, *args, **kwargs):
        with self.printed() as out:
            ws = Workspace.from_config(*args, **kwargs)
        return ws, out.lines()

    def test_each_place(self):
        for place in (".azureml/config.json", "aml_config/config.json", "config.json"):
            with self.subTest(place):
                self.config(place)
                ws, lines = self.found()
                self.assertEqual(ws.name, "lab")
                self.assertEqual(lines, [f"Found the config file in: {Path.cwd() / place}"])
                os.remove(place)

    def test_parents_up_to_the_root(self):
        self.config(".azureml/config.json")
        top = Path.cwd()
        os.makedirs("a/b")
        os.chdir("a/b")
        self.assertEqual(self.found()[1], [f"Found the config file in: {top}/.azureml/config.json"])

    def test_order_within_a_folder_and_a_warning(self):
        self.config(".azureml/config.json")
        self.config("aml_config/config.json", workspace_name="other")
        self.config("config.json")
        with self.noticed() as texts:
            ws, _ = self.found()
        self.assertEqual(ws.name, "lab")
        self.assertEqual(len(texts), 1)
        self.assertIn("aml_config/config.json names another workspace", texts[0])

    def test_a_config_of_somebody_else_is_passed_over(self):
        self.config(".azureml/config.json")
        top = Path.cwd()
        os.mkdir("below")
        os.chdir("below")
        self.write("config.json", '{"eslint": true}')
        self.assertIn(str(top / ".azureml"), self.found()[1][0])

    def test_path_as_file_and_folder(self):
        file = self.config("elsewhere/ws.json")
        self.assertEqual(self.found(file)[0].name, "lab")
        self.config("folder/.azureml/config.json")
        self.assertEqual(self.found("folder")[0].name, "lab")
        self.assertEqual(self.found(path="folder")[0].name, "lab")
        self.config("folder/aml_config/mine.json")
        self.assertEqual(self.found("folder", _file_name="mine.json")[0].name, "lab")

    def test_none_found(self):
        with self.fails(UserErrorException, "no workspace file config.json was found in"):
            Workspace.from_config()
        with self.fails(UserErrorException, "there is no workspace file or folder"):
            Workspace.from_config("nowhere")

    def test_damaged_files(self):
        for content, why in (
            ("{", "cannot read the workspace file"),
            ("[]", "must hold a JSON object"),
            ('{"workspace_name": 7}', '"workspace_name" must be a string'),
            ('{"subscription_id": "s"}', 'has no "workspace_name"'),
            ('{"workspace_name": "lab", "targets": []}', '"targets" must be an object'),
            ('{"workspace_name": "lab", "targets": {"ACI": "proces"}}', 'did you mean "process"'),
            (b"\xff\xfe{}", "cannot read the workspace file"),
            ("x" * 100_000, "too large"),
        ):
            with self.subTest(why):
                self.write(".azureml/config.json", content)
                with self.fails(UserErrorException, why):
                    Workspace.from_config()

    def test_workspace_that_is_not_there(self):
        self.config("config.json", workspace_name="gone")
        with self.fails(WorkspaceException, "slipway workspace create gone"):
            Workspace.from_config()

    def test_endpoint_and_token_file(self):
        del os.environ["SLIPWAY_ENDPOINT"], os.environ["SLIPWAY_TOKEN"]
        self.write("secrets/token", self.stub.token + "\n")
        self.config(
            ".azureml/config.json", endpoint=self.stub.address, token_file="../secrets/token"
        )
        ws, _ = self.found()
        self.assertEqual(ws.get_details()["workspaceid"], "id-lab")
        self.write("secrets/token", "wrong")
        with self.assertRaises(AuthenticationException):
            Workspace.from_config()
        self.write("secrets/token", "two\nlines")
        with self.fails(UserErrorException, "does not hold one token on one line"):
            Workspace.from_config()
        os.remove("secrets/token")
        with self.fails(UserErrorException, "cannot read the token file"):
            Workspace.from_config()

    def test_service_of_this_machine(self):
        del os.environ["SLIPWAY_ENDPOINT"], os.environ["SLIPWAY_TOKEN"]
        self.config("config.json")
        with self.fails(ServiceException, "Service.NotRunning"):
            Workspace.from_config()
        state = self.folder / "home" / ".local" / "share" / "slipway"
        self.write(state / "run" / "endpoint.json", json.dumps({"address": self.stub.address}))
        self.write(state / "admin.token", self.stub.token + "\n")
        self.assertEqual(self.found()[0].name, "lab")
        os.environ["SLIPWAY_STATE"] = str(self.folder / "other")
        with self.assertRaises(ServiceException):
            Workspace.from_config()

    def test_the_environment_comes_first(self):
        self.config("config.json", endpoint="http://127.0.0.1:1")
        self.assertEqual(self.found()[0].name, "lab")

    def test_what_write_config_writes(self):
        self.ws.write_config()
        file = Path(".azureml/config.json")
        self.assertEqual(json.loads(file.read_text()), {**THREE, "endpoint": self.stub.address})
        self.assertEqual(self.found()[0].name, "lab")
        self.ws.write_config("sub/folder", "mine.json")
        self.assertTrue(Path("sub/folder/.azureml/mine.json").is_file())
        self.assertEqual(os.listdir(".azureml"), ["config.json"])
        self.assertFalse(stat.S_IMODE(file.stat().st_mode) & 0o002)

    def test_write_config_keeps_what_the_file_had(self):
        self.write("t", self.stub.token)
        self.config("config.json", token_file="t", targets={"ACI": "docker"})
        ws, _ = self.found()
        ws.write_config("copy")
        written = json.loads(Path("copy/.azureml/config.json").read_text())
        self.assertEqual(written["targets"], {"ACI": "docker"})
        self.assertEqual(Path(written["token_file"]), Path.cwd() / "t")
        self.assertNotIn(self.stub.token, json.dumps(written))


class WorkspaceTest(StubCase):
    def test_attributes_and_details(self):
        ws = Workspace("sub", "group", "lab")
        self.assertEqual(
            (ws.name, ws.resource_group, ws.location, ws.subscription_id),
            ("lab", "group", "here", "sub"),
        )
        self.assertEqual(
            set(ws.get_details()),
            set(
                "id name location type workspaceid description friendlyName creationTime "
                "containerRegistry keyVault applicationInsights "
                "identityPrincipalId identityTenantId "
                "identityType storageAccount".split()
            ),
        )
        self.assertEqual(
            ws.get_details()["id"],
            "/subscriptions/sub/resourceGroups/group/providers/"
            "Microsoft.MachineLearningServices/workspaces/lab",
        )

    def test_absent(self):
        for call in (lambda: Workspace("sub", "group", "no"), lambda: Workspace.get("no")):
            with self.fails(WorkspaceException, 'no workspace "no"'):
                call()

    def test_create_twice(self):
        with self.fails(WorkspaceException, "Workspace.AlreadyExists"):
            Workspace.create("lab")
        with self.printed() as out:
            self.assertEqual(Workspace.create("lab", exist_ok=True, show_output=False).name, "lab")
        self.assertEqual(out.lines(), [])

    def test_ignored_arguments_say_so_once(self):
        with self.noticed() as texts, self.printed():
            Workspace.create("w2", key_vault="kv", hbi_workspace=True)
            Workspace.create("w3", key_vault="kv")
        self.assertEqual(len(texts), 2)
        self.assertIn("Workspace.create: key_vault is accepted and ignored", texts[0])

    def test_list(self):
        with self.printed():
            Workspace.create("free")
            Workspace.create("foreign", subscription_id="another")
        found = Workspace.list("sub")
        self.assertEqual(sorted(found), ["free", "lab"])
        self.assertEqual([ws.name for ws in found["lab"]], ["lab"])
        self.assertEqual(sorted(Workspace.list("sub", resource_group="x")), ["free"])

    def test_delete(self):
        self.service()
        with self.fails(WorkspaceException, "Workspace.NotEmpty"):
            self.ws.delete()
        self.ws.delete(delete_dependent_resources=True)
        self.assertEqual(self.stub.workspaces, {})

    def test_another_subscription_is_said(self):
        with self.noticed() as texts:
            Workspace("mine", "group", "lab")
        self.assertIn('has subscription_id "sub", not "mine"', texts[0])

    def test_collections(self):
        self.register("m")
        self.register("m")
        self.service()
        self.assertEqual({n: m.version for n, m in self.ws.models.items()}, {"m": 3})
        self.assertEqual({n: i.version for n, i in self.ws.images.items()}, {"im": 1})
        self.assertEqual(list(self.ws.webservices), ["svc"])
        self.assertEqual(self.ws.experiments, {})

    def test_what_is_not_there_says_what_to_do(self):
        for call in (self.ws.get_default_datastore, self.ws.get_default_keyvault):
            with self.assertRaises(NotImplementedError) as caught:
                call()
            self.assertIn("is not there on a Slipway workspace: ", str(caught.exception))

    def test_runs(self):
        from azureml.core import Run

        with self.printed() as out:
            run = Run.get_context()
            run.log("accuracy", 0.5)
        self.assertEqual(out.lines(), ["Attempted to log scalar metric accuracy:", "0.5"])
        with self.fails(NotImplementedError, "Run.upload_file is not there"):
            run.upload_file("a", "b")

    def test_logins_of_azure(self):
        from azureml.core import authentication

        with self.noticed() as texts:
            auth = authentication.ServicePrincipalAuthentication("t", "id", "secret-password")
            authentication.InteractiveLoginAuthentication(tenant_id="t")
        self.assertEqual(Workspace.get("lab", auth=auth).name, "lab")
        self.assertEqual(len(texts), 2)
        self.assertNotIn("secret-password", repr(vars(auth)))
        del os.environ["SLIPWAY_TOKEN"]
        with self.fails(AuthenticationException, "Auth.Required"):
            Workspace.get("lab", auth=auth)
        token = authentication.TokenAuthentication(lambda audience: self.stub.token)
        self.assertEqual(Workspace.get("lab", auth=token).name, "lab")


if __name__ == "__main__":
    unittest.main()
