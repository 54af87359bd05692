# SPDX-License-Identifier: Apache-2.0
"""Services: deploying, waiting, asking, keys, changing, deleting (3.5)."""

import json
import unittest

from azureml.core.image import ContainerImage, Image
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, AksWebservice, LocalWebservice, Webservice
from azureml.exceptions import NotAvailableException, UserErrorException, WebserviceException
from case import StubCase


class DeployTest(StubCase):
    def setUp(self):
        super().setUp()
        self.write("score.py", "script")
        self.config = ContainerImage.image_configuration("score.py", "python")
        self.aci = AciWebservice.deploy_configuration(
            cpu_cores=1, memory_gb=1, tags={"t": "v"}, description="d"
        )

    def sent(self):
        return self.stub.bodies("POST", "/services")[-1]

    def test_deploy_from_image(self):
        image = self.image()
        with self.printed() as out:
            service = Webservice.deploy_from_image(
                deployment_config=self.aci, image=image, name="my-service", workspace=self.ws
            )
        self.assertEqual(
            out.lines(),
            [
                'Deploying "my-service" as ACI to target process of this workspace',
                "Creating service",
            ],
        )
        self.assertEqual(service.state, "Transitioning")
        with self.printed() as out:
            service.wait_for_deployment(True)
        first, last = out.lines()
        self.assertRegex(first, r"^Running\.+$")
        self.assertEqual(
            last, "SucceededACI service creation operation finished, operation " '"Succeeded"'
        )
        self.assertEqual((service.state, service.compute_type), ("Healthy", "ACI"))
        sent = self.sent()
        self.assertEqual((sent["image"], sent["target"]), ("im:1", "process"))
        self.assertEqual((sent["tags"], sent["description"]), ({"t": "v"}, "d"))
        self.assertEqual(sent["deployment"], {"cpu_cores": 1, "memory_gb": 1})

    def test_deploy_from_model(self):
        with self.printed() as out:
            service = Webservice.deploy_from_model(
                workspace=self.ws,
                name="my-service",
                deployment_config=self.aci,
                models=[self.register()],
                image_config=self.config,
            )
            service.wait_for_deployment(show_output=True)
        self.assertEqual(
            [line for line in out.lines() if "Running" not in line],
            [
                "Creating image",
                'Image creation operation finished for image my-service:1, operation "Succeeded"',
                'Deploying "my-service" as ACI to target process of this workspace',
                "Creating service",
                'SucceededACI service creation operation finished, operation "Succeeded"',
            ],
        )
        self.assertEqual(service.image.models[0].id, "m:1")

    def test_deploy(self):
        self.write("dir/model.onnx", "onnx")
        self.write("other.bin", "other")
        with self.printed() as out:
            service = Webservice.deploy(
                self.ws, "my-service", ["dir/model.onnx", "other.bin"], self.config, self.aci
            )
        self.assertEqual(
            out.lines()[:2], ["Registering model model.onnx", "Registering model other.bin"]
        )
        self.assertEqual(service.image.model_ids, ["model.onnx:1", "other.bin:1"])

    def test_model_deploy(self):
        inference = InferenceConfig(entry_script="score.py", runtime="python")
        with self.printed():
            service = Model.deploy(self.ws, "my-service", [self.register()], inference, self.aci)
            service.wait_for_deployment()
        self.assertEqual(self.sent()["image"], "my-service:1")
        self.assertEqual(self.stub.bodies("POST", "/images")[0]["script"]["path"], "score.py")

    def test_model_deploy_without_code(self):
        with self.printed():
            service = Model.deploy(self.ws, "my-service", [self.register()])
            service.wait_for_deployment(show_output=True)
        self.assertEqual(self.sent()["model"], "m:1")
        self.assertEqual(self.stub.bodies("POST", "/images"), [])
        self.assertIsInstance(service, AciWebservice)

    def test_model_deploy_of_several_without_code(self):
        with self.printed():
            Model.deploy(self.ws, "my-service", [self.register("a"), self.register("b").id])
        self.assertEqual(self.stub.bodies("POST", "/images")[0]["models"], ["a:1", "b:1"])

    def test_reload_and_update_of_a_local_service(self):
        config = LocalWebservice.deploy_configuration()
        service = self.service(config=config)
        with self.printed() as out:
            service.reload(wait=True)
            service.update(tags={"a": "b"}, deployment_config=config, wait=True)
        self.assertEqual(
            [body.get("image") for body in self.stub.bodies("PATCH", "/services/svc")],
            ["im:1", None],
        )
        self.assertEqual(service.tags, {"a": "b"})
        self.assertEqual(service.port, self.stub._server.server_port)
        self.assertEqual(out.getvalue().count("LOCAL service update operation finished"), 2)

    def test_reload_takes_the_script_as_it_is_now(self):
        inference = InferenceConfig("score.py", source_directory=".")
        with self.printed():
            service = Model.deploy(
                self.ws, "svc", [self.register()], inference, LocalWebservice.deploy_configuration()
            )
            service.wait_for_deployment()
            self.write("score.py", "changed")
            service.reload()
        self.assertEqual((service.state, service.image_id), ("Healthy", "svc:2"))
        sent = self.stub.bodies("POST", "/images")[-1]
        self.assertEqual(sent["models"], ["m:1"])
        self.assertEqual(self.stub.blobs[sent["script"]["digest"]], b"changed")

    def test_update_of_an_aks_service(self):
        config = AksWebservice.deploy_configuration(num_replicas=1)
        with self.noticed():
            service = self.service(config=config)
        service._record["target"] = "kubernetes"
        with self.printed():
            AksWebservice.update(service, num_replicas=4, memory_gb=2)
        self.assertEqual(
            self.stub.bodies("PATCH", "/services/svc")[-1],
            {"deployment": {"num_replicas": 4, "memory_gb": 2}},
        )

    def test_names(self):
        for name in ("ab", "a" * 33, "1abc", "Abc", "a_b", "a.b", "", None):
            with self.subTest(name):
                with self.fails(WebserviceException, "3 to 32 lower-case letters"):
                    Webservice.deploy(self.ws, name, ["no"], self.config, self.aci)
        self.assertEqual(self.stub.models, {})

    def test_taken(self):
        self.service("svc")
        with self.fails(WebserviceException, 'a service "svc" is there already'):
            Model.deploy(self.ws, "svc", [self.register()])
        with self.printed():
            Model.deploy(self.ws, "svc", [self.register()], overwrite=True).wait_for_deployment()
        self.assertTrue(self.sent()["overwrite"])

    def test_what_is_no_configuration(self):
        with self.fails(UserErrorException, "is no deployment configuration"):
            Webservice.deploy_from_image(self.ws, "svc", self.image(), {"cpu": 1})
        with self.fails(UserErrorException, "is no image"):
            Webservice.deploy_from_image(self.ws, "svc", 7, self.aci)
        with self.fails(UserErrorException, "is no model"):
            Model.deploy(self.ws, "svc", [7])
        with self.fails(UserErrorException, "nothing to deploy"):
            Model.deploy(self.ws, "svc", [])

    def test_local(self):
        with self.printed():
            service = Webservice.deploy_from_image(
                self.ws, "svc", self.image(), LocalWebservice.deploy_configuration(port=8891)
            )
            service.wait_for_deployment()
        self.assertEqual((self.sent()["target"], self.sent()["port"]), ("process", 8891))
        self.assertIsInstance(service, LocalWebservice)
        self.assertEqual(service.compute_type, "LOCAL")
        service.delete(delete_image=True)
        self.assertEqual(self.stub.images, {})


class TargetTest(StubCase):
    """What an ACI or AKS configuration means on a workspace (targets of config.json)."""

    def deploy(self, config, targets=None, target=None):
        from azureml.core import Workspace

        self.write(
            "config.json",
            json.dumps(
                {"workspace_name": "lab", "endpoint": self.stub.address, "targets": targets}
            ),
        )
        with self.printed() as self.out:
            ws = Workspace.from_config()
            name = f"svc{len(self.stub.services)}"
            Webservice.deploy_from_image(ws, name, self.image(), config, target)
        return self.stub.bodies("POST", "/services")[-1]

    def test_by_compute_type(self):
        aci = AciWebservice.deploy_configuration(dns_name_label="abc", location="westeurope")
        self.assertEqual(self.deploy(aci)["target"], "process")
        self.assertEqual(self.deploy(aci, {"ACI": "docker"})["target"], "docker")
        sent = self.deploy(aci, {"ACI": "aci"})
        self.assertEqual(sent["target"], "aci")
        self.assertEqual(
            sent["deployment"],
            {
                "dns_name_label": "abc",
                "location": "westeurope",
                "aci": {"subscription_id": "sub", "resource_group": "group"},
            },
        )
        self.assertNotIn("Deploying", self.out.getvalue())
        sent = self.deploy(AksWebservice.deploy_configuration(), {"AKS": "kubernetes"})
        self.assertEqual(
            (sent["target"], sent["deployment"]), ("kubernetes", {"auth_enabled": True})
        )
        local = LocalWebservice.deploy_configuration()
        self.assertEqual(self.deploy(local, {"LOCAL": "docker"})["target"], "docker")

    def test_elsewhere_the_type_is_the_target(self):
        from azureml.core._slipway import connection

        self.ws._connection.http.address = "https://slipway.example.org"
        self.assertFalse(connection.is_loopback(self.ws._connection.http.address))
        self.assertEqual(
            [self.ws._target_of(kind) for kind in ("ACI", "AKS", "LOCAL")],
            ["aci", "kubernetes", "process"],
        )

    def test_settings_without_meaning_are_said(self):
        aks = AksWebservice.deploy_configuration(num_replicas=3, namespace="ns")
        with self.noticed() as texts:
            sent = self.deploy(aks)
        self.assertEqual(sent["deployment"], {"auth_enabled": True})
        self.assertIn(
            "on target process these settings are ignored: num_replicas, namespace", texts
        )

    def test_aks_flow_of_the_notebooks(self):
        from azureml.core.compute import AksCompute, ComputeTarget
        from azureml.core.compute_target import ComputeTargetException

        with self.fails(ComputeTargetException, "ComputeTargetNotFound"):
            ComputeTarget(self.ws, "my-aks")
        with self.noticed() as texts, self.printed() as out:
            config = AksCompute.provisioning_configuration(agent_count=3, vm_size="Standard_D2")
            target = ComputeTarget.create(
                workspace=self.ws, name="my-aks", provisioning_configuration=config
            )
            target.wait_for_completion(show_output=True)
        self.assertEqual(out.lines(), ["Succeeded"])
        self.assertIn("makes no cluster", texts[0])
        self.assertEqual(target.provisioning_state, "Succeeded")
        self.assertIs(AksCompute(self.ws, "my-aks"), target)
        self.assertEqual(list(self.ws.compute_targets), ["my-aks"])
        with self.printed() as out:
            service = Webservice.deploy_from_image(
                self.ws, "aks-service", self.image(), AksWebservice.deploy_configuration(), target
            )
            service.wait_for_deployment(True)
        self.assertIn("AKS service creation operation finished", out.getvalue())
        self.assertIsInstance(Webservice(self.ws, "aks-service"), AksWebservice)

    def test_an_attached_cluster_is_its_context(self):
        from azureml.core.compute import AksCompute, ComputeTarget

        self.write(
            ".azureml/config.json",
            json.dumps({"workspace_name": "lab", "targets": {"prod": "kubernetes"}}),
        )
        from azureml.core import Workspace

        with self.printed():
            ws = Workspace.from_config()
            self.assertEqual(ComputeTarget(ws, "prod").name, "prod")
            target = ComputeTarget.attach(
                ws,
                "prod",
                AksCompute.attach_configuration(resource_group="g", cluster_name="prod-context"),
            )
            Webservice.deploy_from_image(
                ws, "svc", self.image(), AksWebservice.deploy_configuration(num_replicas=2), target
            )
        sent = self.stub.bodies("POST", "/services")[-1]
        self.assertEqual(sent["target"], "kubernetes")
        self.assertEqual(
            sent["deployment"],
            {"auth_enabled": True, "num_replicas": 2, "kubernetes": {"context": "prod-context"}},
        )


class WaitTest(StubCase):
    def deploy(self):
        with self.printed():
            return Webservice.deploy_from_image(
                self.ws, "svc", self.image(), AciWebservice.deploy_configuration()
            )

    def test_failure(self):
        self.stub.service_outcome = {
            "error": "the process ended with status 3",
            "error_code": "Service.NotReady",
            "error_cause": "CrashLoopBackOff",
            "fix": "slipway service logs svc",
        }
        service = self.deploy()
        with self.printed() as out, self.assertRaises(WebserviceException) as caught:
            service.wait_for_deployment(show_output=True)
        self.assertTrue(
            out.lines()[-1].endswith(
                'FailedACI service creation operation finished, operation "Failed"'
            )
        )
        lines = str(caught.exception).split("\n")
        self.assertEqual(
            lines[0],
            "Service deployment polling reached non-successful terminal "
            "state, current service state: Failed",
        )
        self.assertRegex(lines[1], "^Operation ID: [0-9a-f]{32}$")
        self.assertEqual(lines[2], "More information can be found using '.get_logs()'")
        self.assertEqual(lines[3], "Error:")
        error = json.loads("\n".join(lines[4:]))
        self.assertEqual(
            (error["code"], error["statusCode"], error["message"]),
            ("Service.NotReady", 400, "the process ended with status 3"),
        )
        self.assertEqual(error["details"][0]["code"], "CrashLoopBackOff")
        self.assertIn("slipway service logs svc", error["details"][0]["message"])
        self.assertEqual(service.error["code"], "CrashLoopBackOff")

    def test_time_runs_out(self):
        image = self.image()
        self.stub.pending_looks = 10**9
        with self.printed():
            service = Webservice.deploy_from_image(self.ws, "svc", image)
        with self.printed(), self.assertRaises(WebserviceException) as caught:
            service.wait_for_deployment(timeout_sec=0.1)
        self.assertIn('"code": "DeploymentTimedOut"', str(caught.exception))
        self.assertEqual(caught.exception.status_code, 504)

    def test_a_service_that_another_process_deploys(self):
        self.deploy()
        again = Webservice(self.ws, "svc")
        self.stub.services["svc"].update(state="Unhealthy", cause="OOMKilled", detail="memory")
        with self.printed(), self.fails(WebserviceException, "OOMKilled"):
            again.wait_for_deployment()
        self.stub.services["svc"].update(state="Healthy")
        with self.printed() as out:
            again.wait_for_deployment()
        self.assertIn('operation "Succeeded"', out.getvalue())


class RunTest(StubCase):
    def test_answers(self):
        service = self.service()
        self.assertEqual(service.run(input_data='{"data": [1]}'), {"got": '{"data": [1]}'})
        self.assertEqual(service.run(b"bytes"), {"got": "bytes"})
        self.assertEqual(service.run({"a": 1}), {"got": '{"a": 1}'})
        with self.fails(UserErrorException, "input_data must be text or bytes"):
            service.run(7)

    def test_both_return_styles(self):
        """A dict comes as an object; what the script dumped itself comes as text."""
        service = self.service()
        self.stub.score = lambda body, headers: (200, {}, b'{"result": [1]}')
        self.assertEqual(service.run("x"), {"result": [1]})
        self.stub.score = lambda body, headers: (200, {}, b'"{\\"result\\": [1]}"')
        self.assertEqual(json.loads(service.run("x")), {"result": [1]})

    def test_bad_answers(self):
        service = self.service()
        self.stub.score = lambda body, headers: (
            500,
            {"x-ms-run-function-failed": "True"},
            b'{"message": "no"}',
        )
        with self.assertRaises(WebserviceException) as caught:
            service.run("x")
        lines = str(caught.exception).split("\n")
        self.assertEqual(
            lines[0],
            (
                "Received bad response from service. More information can be found by calling "
                "`.get_logs()` on the webservice object."
            ),
        )
        self.assertEqual(lines[1], "Response Code: 500")
        self.assertIn("'x-ms-run-function-failed': 'True'", lines[2])
        self.assertEqual(lines[3], 'Content: b\'{"message": "no"}\'')
        self.assertEqual(caught.exception.status_code, 500)
        self.stub.score = lambda body, headers: (200, {}, b"no json")
        with self.fails(WebserviceException, "Content: b'no json'"):
            service.run("x")

    def test_a_request_is_not_sent_twice(self):
        service = self.service()
        service.run("warm")
        self.stub.requests.clear()
        self.stub.fail_next("cut")
        with self.fails(WebserviceException, "does not answer"):
            service.run("x")
        self.assertEqual(len(self.stub.requests), 1)
        self.assertEqual(service.run("y"), {"got": "y"})

    def test_keys(self):
        def guarded(body, headers):
            if headers.get("Authorization") != f"Bearer {self.stub.keys['svc']['primary']}":
                return 401, {}, b'{"message": "key"}'
            return 200, {}, b'"in"'

        self.stub.score = guarded
        service = self.service(
            config=AciWebservice.deploy_configuration(auth_enabled=True, primary_key="chosen-key")
        )
        self.assertTrue(service.auth_enabled)
        self.assertEqual(service.get_keys(), ("chosen-key", "second-key"))
        self.assertEqual(service.run("x"), "in")
        self.stub.keys["svc"]["primary"] = "changed-by-another"
        self.assertEqual(service.run("x"), "in")
        service.regen_key("Primary")
        self.assertNotIn(service.get_keys()[0], ("chosen-key", "changed-by-another"))
        service.regen_key("Secondary", "mine-mine")
        self.assertEqual(service.get_keys()[1], "mine-mine")
        self.assertEqual(service.run("x"), "in")
        with self.fails(WebserviceException, 'neither "Primary" nor "Secondary"'):
            service.regen_key("Third")
        with self.fails(NotAvailableException, "use keys"):
            service.get_token()

    def test_through_the_workspace_where_the_address_is_not_ours(self):
        """A process service of a remote workspace has a loopback address over there."""
        service = self.service()
        service.workspace._connection.http.is_here = lambda: False
        self.stub.requests.clear()
        self.assertEqual(service.run("x"), {"got": "x"})
        self.assertEqual(
            self.stub.requests[0][:2], ("POST", "/api/v1/workspaces/lab/services/svc/score")
        )


class ServiceTest(StubCase):
    def test_attributes(self):
        service = self.service(
            config=AciWebservice.deploy_configuration(
                tags=["onnx"], properties={"p": 1}, description="d"
            )
        )
        self.assertEqual(
            (service.name, service.tags, service.description), ("svc", {"onnx": ""}, "d")
        )
        self.assertEqual(service.properties["p"], "1")
        self.assertEqual(service.scoring_uri, f"{self.stub.address}/run/svc/score")
        self.assertEqual(service.swagger_uri, f"{self.stub.address}/run/svc/swagger.json")
        self.assertEqual((service.image_id, service.image.id), ("im:1", "im:1"))
        self.assertIsInstance(service.image, Image)
        self.assertIsNone(service.error)
        self.assertFalse(service.auth_enabled)
        self.assertEqual(service.serialize()["computeType"], "ACI")
        self.assertEqual(service.get_logs(num_lines=7), "the last 7 lines\n")
        self.assertEqual(service.get_logs(), "the last 5000 lines\n")

    def test_look_up(self):
        self.service()
        self.assertIsInstance(Webservice(self.ws, "svc"), AciWebservice)
        self.assertIsInstance(AciWebservice(workspace=self.ws, name="svc"), AciWebservice)
        with self.fails(WebserviceException, 'Webservice with name "no" not found'):
            Webservice(self.ws, "no")

    def test_list(self):
        self.service("one")
        self.service("two", AksWebservice.deploy_configuration(tags={"a": "b"}))
        names = lambda **query: [s.name for s in Webservice.list(self.ws, **query)]  # noqa: E731
        self.assertEqual(names(), ["one", "two"])
        self.assertEqual(names(compute_type="AKS"), ["two"])
        self.assertEqual(names(tags=[["a", "b"]]), ["two"])
        self.assertEqual(names(image_id="im:2"), ["two"])
        self.assertEqual(names(image_name="im"), ["one", "two"])
        self.assertEqual(names(model_name="m"), ["one", "two"])
        self.assertEqual(names(model_id="m:2"), ["two"])

    def test_update(self):
        service = self.service(config=AciWebservice.deploy_configuration(tags={"a": "1"}))
        image = self.image()
        with self.printed() as out:
            service.update(
                image=image,
                tags={"b": "2"},
                properties={"q": "r"},
                description="new",
                auth_enabled=True,
            )
            service.wait_for_deployment()
        sent = self.stub.bodies("PATCH", "/services/svc")[-1]
        self.assertEqual(
            sent,
            {
                "image": "im:2",
                "tags": {"b": "2"},
                "description": "new",
                "add_properties": {"q": "r"},
                "deployment": {"auth_enabled": True},
            },
        )
        self.assertEqual((service.tags, service.image_id), ({"b": "2"}, "im:2"))
        self.assertIn(
            'ACI service update operation finished, operation "Succeeded"', out.getvalue()
        )
        with self.printed() as out:
            service.update()
        self.assertEqual(out.lines(), ["Nothing to update"])
        service.add_tags({"c": "3"})
        service.remove_tags(["b"])
        self.assertEqual(service.tags, {"c": "3"})

    def test_update_with_a_script(self):
        service = self.service()
        self.write("score.py", "new script")
        with self.printed():
            service.update(models=[self.register()], inference_config=InferenceConfig("score.py"))
        self.assertEqual(service.image_id, "svc:1")
        with self.fails(UserErrorException, "image excludes"):
            service.update(image="im:1", models=[Model(self.ws, "m")])
        with self.fails(UserErrorException, "need an inference_config"):
            service.update(models=[Model(self.ws, "m")])

    def test_delete(self):
        service = self.service()
        service.delete()
        self.assertEqual(self.stub.services, {})
        with self.printed() as out:
            service.delete()
        self.assertEqual(out.lines(), ["No service with name svc found to delete."])


class ConfigurationTest(StubCase):
    def refused(self, kind, why, **settings):
        with self.subTest(why):
            with self.fails(WebserviceException, f"Invalid configuration: {why}"):
                kind.deploy_configuration(**settings)

    def test_refused(self):
        aci, aks, local = AciWebservice, AksWebservice, LocalWebservice
        for kind in (aci, aks):
            self.refused(kind, "cpu_cores is 0", cpu_cores=0)
            self.refused(kind, "memory_gb is '1'", memory_gb="1")
            self.refused(kind, "cpu_cores is True", cpu_cores=True)
        self.refused(
            aci,
            "ssl_enabled needs ssl_cert_pem_file, ssl_key_pem_file, ssl_cname",
            ssl_enabled=True,
        )
        self.refused(
            aci,
            "ssl_cert_pem_file: cannot read no.pem",
            ssl_enabled=True,
            ssl_cert_pem_file="no.pem",
            ssl_key_pem_file="k",
            ssl_cname="c",
        )
        self.refused(aks, "num_replicas is 0", num_replicas=0)
        self.refused(aks, "num_replicas is 1.5", num_replicas=1.5)
        self.refused(aks, "scoring_timeout_ms is 0", scoring_timeout_ms=0)
        self.refused(aks, "autoscale_target_utilization is 101", autoscale_target_utilization=101)
        self.refused(
            aks,
            "num_replicas and autoscale_enabled exclude each other",
            num_replicas=2,
            autoscale_enabled=True,
        )
        self.refused(
            aks,
            "autoscale_min_replicas and num_replicas exclude",
            num_replicas=2,
            autoscale_min_replicas=1,
        )
        self.refused(
            aks,
            "autoscale_enabled is False, so that num_replicas is needed",
            autoscale_enabled=False,
        )
        self.refused(aks, "autoscale_min_replicas is 11, more than", autoscale_min_replicas=11)
        self.refused(
            aks,
            "auth_enabled and token_auth_enabled exclude",
            auth_enabled=True,
            token_auth_enabled=True,
        )
        self.refused(
            aks, "cpu_cores_limit is 1, less than cpu_cores", cpu_cores=2, cpu_cores_limit=1
        )
        self.refused(local, "port is 0", port=0)
        self.refused(local, "port is '80'", port="80")

    def test_attributes(self):
        config = AciWebservice.deploy_configuration(cpu_cores=0.5)
        self.assertEqual((config.cpu_cores, config.memory_gb), (0.5, None))
        config.validate_configuration()
        self.assertTrue(AksWebservice.deploy_configuration().auth_enabled)
        self.assertFalse(AksWebservice.deploy_configuration(token_auth_enabled=True).auth_enabled)

    def test_tls_files(self):
        self.write("c.pem", "CERT")
        self.write("k.pem", "KEY")
        config = AciWebservice.deploy_configuration(
            ssl_enabled=True, ssl_cert_pem_file="c.pem", ssl_key_pem_file="k.pem", ssl_cname="n.de"
        )
        self.assertEqual((config.ssl_certificate, config.ssl_key), ("CERT", "KEY"))


class ProfileTest(StubCase):
    def test_measures(self):
        from azureml.core import profile

        kept = profile._SECONDS
        self.addCleanup(setattr, profile, "_SECONDS", kept)
        profile._SECONDS = 0.05
        with self.printed():
            found = Model.profile(self.ws, "p", [self.register()], None, "x")
            found.wait_for_completion(True)
        details = found.get_details()
        self.assertGreaterEqual(details["totalQueries"], 5)
        self.assertGreater(details["latencyPercentile99InMs"], 0)
        self.assertEqual(self.stub.services, {})
        with self.fails(UserErrorException, "needs one request"):
            Model.profile(self.ws, "p", [Model(self.ws, "m")], None)

    def test_a_model_that_does_not_answer(self):
        self.stub.score = lambda body, headers: (500, {}, b"{}")
        with self.printed(), self.fails(WebserviceException, "Response Code: 500"):
            Model.profile(self.ws, "p", [self.register()], None, "x").wait_for_completion()
        self.assertEqual(self.stub.services, {})


if __name__ == "__main__":
    unittest.main()
