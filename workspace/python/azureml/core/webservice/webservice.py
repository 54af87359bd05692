# SPDX-License-Identifier: Apache-2.0
"""A service, whatever it runs on."""

from __future__ import annotations

import json

from azureml.core._slipway import deployments, operations
from azureml.core._slipway.absent import refuse
from azureml.core._slipway.connection import part, pauses
from azureml.core._slipway.record import Recorded
from azureml.core._slipway.text import filter_pairs, fits, plain_time, split_id, text_map
from azureml.exceptions import UserErrorException, WebserviceException

_LINES_MAX = 100_000


class Webservice(Recorded):
    """The service of that name, as the class of what it was deployed for."""

    _webservice_type = ""

    def __new__(cls, workspace=None, name=None):
        if workspace is None and name is None:
            return object.__new__(cls)
        record = find_record(workspace, name)
        if record is None:
            raise WebserviceException(
                f'WebserviceNotFound: Webservice with name "{name}" not found in provided '
                "workspace",
                status_code=404,
                code="Service.NotFound",
            )
        return cls._of(workspace, record)

    def __init__(self, workspace=None, name=None):
        """All is done in __new__."""

    @classmethod
    def _of(cls, workspace, record, operation_id=None):
        from azureml.core import webservice

        compute_type = _type_of(record)
        kinds = {"ACI": webservice.AciWebservice, "AKS": webservice.AksWebservice}
        kind = kinds.get(compute_type, webservice.LocalWebservice)
        service = object.__new__(kind)
        service.workspace = workspace
        service._record = record
        service._operation_id = operation_id
        service._change = "creation"
        service._key = None
        service._sources = None
        return service

    @staticmethod
    def list(
        workspace,
        compute_type=None,
        image_name=None,
        image_id=None,
        model_name=None,
        model_id=None,
        tags=None,
        properties=None,
        image_digest=None,
    ):
        """The services that fit all that is given."""
        services = [
            Webservice._of(workspace, record)
            for record in workspace._connection.pages(workspace._path("/services"))
        ]
        ids = None
        if model_name is not None or model_id is not None:
            from azureml.core.image import Image

            found = Image.list(workspace, model_name=model_name, model_id=model_id)
            ids = {image.id for image in found}
        return [
            service
            for service in services
            if compute_type in (None, service.compute_type)
            and image_name in (None, split_id(service.image_id or ":0")[0])
            and image_id in (None, service.image_id)
            and image_digest in (None, service._record.get("image_digest"))
            and (ids is None or service.image_id in ids)
            and fits(filter_pairs(tags, "tags"), service.tags)
            and fits(filter_pairs(properties, "properties"), service.properties)
        ]

    @staticmethod
    def deploy(
        workspace,
        name,
        model_paths,
        image_config,
        deployment_config=None,
        deployment_target=None,
        overwrite=False,
    ):
        """Registers each path under its own name, builds an image of them and deploys that."""
        import os

        from azureml.core.model import Model

        deployments.check_request(name, deployment_config)
        deployments.refuse_taken(workspace, name, overwrite)
        paths = [model_paths] if isinstance(model_paths, str) else model_paths
        models = [
            Model.register(workspace, path, os.path.basename(os.path.abspath(path)))
            for path in paths
        ]
        return Webservice.deploy_from_model(
            workspace, name, models, image_config, deployment_config, deployment_target, overwrite
        )

    @staticmethod
    def deploy_from_model(
        workspace,
        name,
        models,
        image_config,
        deployment_config=None,
        deployment_target=None,
        overwrite=False,
    ):
        """Builds an image of the models and deploys that."""
        from azureml.core.image import ContainerImage

        deployments.check_request(name, deployment_config)
        deployments.refuse_taken(workspace, name, overwrite)
        image = ContainerImage.create(workspace, name, models, image_config)
        image.wait_for_creation()
        service = Webservice.deploy_from_image(
            workspace, name, image, deployment_config, deployment_target, overwrite
        )
        service._sources = (image.model_ids, image_config)
        return service

    @staticmethod
    def deploy_from_image(
        workspace,
        name,
        image,
        deployment_config=None,
        deployment_target=None,
        overwrite=False,
    ):
        """Deploys an image; see `wait_for_deployment`."""
        body = deployments.body_for(
            workspace, name, deployment_config, deployment_target, overwrite
        )
        return deployments.start_service(workspace, {**body, "image": _image_id(image)})

    @staticmethod
    def deploy_local_from_model(
        workspace, name, models, image_config, deployment_config=None, wait=False
    ):
        """The same on the machine of the workspace service."""
        from azureml.core.webservice.local import LocalWebservice

        config = deployment_config or LocalWebservice.deploy_configuration()
        service = Webservice.deploy_from_model(workspace, name, models, image_config, config)
        if wait:
            service.wait_for_deployment()
        return service

    @property
    def state(self):
        """Transitioning, Healthy, Unhealthy or Failed, as last seen."""
        return self._record["state"]

    @property
    def compute_type(self):
        return self._webservice_type

    @property
    def scoring_uri(self):
        return self._record.get("scoring_uri") or None

    @property
    def swagger_uri(self):
        given = self._record.get("swagger_uri")
        endpoint = self._record.get("endpoint")
        return given or (f"{endpoint}/swagger.json" if endpoint else None)

    @property
    def auth_enabled(self):
        return bool(self._setting("auth_enabled"))

    @property
    def token_auth_enabled(self):
        return False

    @property
    def error(self):
        """The cause code and what is known of it; None where nothing is wrong."""
        cause, detail = self._record.get("cause"), self._record.get("detail")
        wrong = cause or self.state in ("Unhealthy", "Failed")
        return {"code": cause or self.state, "message": detail or ""} if wrong else None

    @property
    def image_id(self):
        return self._record.get("image") or None

    @property
    def image(self):
        from azureml.core.image import Image

        return Image(self.workspace, id=self.image_id) if self.image_id else None

    @property
    def updated_time(self):
        return plain_time(self._record.get("updated_time"))

    @property
    def location(self):
        return self._setting("location") or self.workspace.location

    @property
    def public_ip(self):
        """The address in the scoring URI."""
        from urllib.parse import urlsplit

        return urlsplit(self.scoring_uri).hostname if self.scoring_uri else None

    public_fqdn = fqdn = public_ip

    @property
    def ssl_enabled(self):
        return bool(self._setting("ssl_enabled"))

    @property
    def cname(self):
        """The name that the certificate is for; None without TLS."""
        return self._setting("ssl_cname") or None

    @property
    def enable_app_insights(self):
        """Never: what there is to see is at /metrics of the service."""
        return False

    def wait_for_deployment(self, show_output=False, timeout_sec=None):
        """Until the service answers. WebserviceException where it does not come to that."""
        progress = operations.Progress(show_output)
        operation = self._wait(progress, timeout_sec)
        self.update_deployment_state()
        succeeded = self.state == "Healthy" and (
            operation is None or operation["state"] == "Succeeded"
        )
        word = "Succeeded" if succeeded else "Failed"
        progress.end(word)
        kind = self._webservice_type
        print(f'{kind} service {self._change} operation finished, operation "{word}"')
        if not succeeded:
            raise self._failure(operation)

    def update_deployment_state(self):
        """Looks at the service again."""
        self._record = self.workspace._connection.get(self._path(""))

    def run(self, input_data):
        """What the service answers to `input_data`, text or bytes; a dict or list is sent as
        JSON. WebserviceException for any answer but 200."""
        from azureml.core._slipway.scoring import score

        return score(self, input_data)

    def get_logs(self, num_lines=5000, init=False):
        """The last lines that the service wrote."""
        lines = max(1, min(int(num_lines), _LINES_MAX))
        return self.workspace._connection.text(self._path("/logs"), {"lines": lines})

    def get_keys(self):
        """The primary and the secondary key."""
        keys = self.workspace._connection.get(self._path("/keys"))
        return keys["primary"], keys["secondary"]

    def regen_key(self, key, set_key=None):
        """Makes a new key, or takes `set_key`, for `key` "Primary" or "Secondary"."""
        if not isinstance(key, str) or key.lower() not in ("primary", "secondary"):
            raise WebserviceException(f'key "{key}" is neither "Primary" nor "Secondary"')
        body = {"key": key.lower()}
        if set_key is not None:
            body["value"] = set_key
        self._key = None
        self.workspace._connection.post(self._path("/keys"), body)

    def get_token(self):
        raise refuse("token authentication of services", "use keys: auth_enabled=True, get_keys()")

    def get_access_token(self):
        raise refuse("token authentication of services", "use keys: auth_enabled=True, get_keys()")

    def delete(self):
        """Until the service is gone. Nothing to do where it was gone already."""
        try:
            operation = self.workspace._connection.delete(self._path(""))
        except WebserviceException as error:
            if error.status_code != 404:
                raise
            print(f"No service with name {self.name} found to delete.")
            return
        if operation is None:
            return
        operation = operations.wait(self.workspace._connection, operation["id"])
        if operation["state"] != "Succeeded":
            raise self._failure(operation)

    def add_tags(self, tags):
        """Adds tags, or changes their values."""
        self.update_deployment_state()
        self._label({"tags": {**self.tags, **text_map(tags, "tags")}})

    def remove_tags(self, tags):
        """Removes tags by their names."""
        from azureml.core._slipway.text import name_list

        self.update_deployment_state()
        gone = name_list(tags, "tags")
        self._label({"tags": {k: v for k, v in self.tags.items() if k not in gone}})

    def add_properties(self, properties):
        """Adds properties; one that is there cannot be changed."""
        self._label({"add_properties": text_map(properties, "properties")})

    def update(self, *args, **kwargs):
        """Each kind of service takes arguments of its own."""
        raise NotImplementedError

    def serialize(self):
        """The service as plain values, with the names of v1's REST interface."""
        return {
            "name": self.name,
            "computeType": self.compute_type,
            "state": self.state,
            "description": self.description,
            "tags": self.tags,
            "properties": self.properties,
            "createdTime": self._record.get("created_time"),
            "updatedTime": self._record.get("updated_time"),
            "imageId": self.image_id,
            "imageDigest": self._record.get("image_digest"),
            "scoringUri": self.scoring_uri,
            "swaggerUri": self.swagger_uri,
            "authEnabled": self.auth_enabled,
            "location": self.location,
            "error": self.error,
        }

    def _update(self, settings, image, tags, properties, description, models, inference_config):
        """Sends what is to change; waits for an image where one is built."""
        change = {}
        if models is not None or inference_config is not None:
            if image is not None:
                raise UserErrorException("image excludes models and inference_config")
            image = self._build(models, inference_config)
        if image is not None:
            change["image"] = _image_id(image)
        if tags is not None:
            change["tags"] = text_map(tags, "tags")
        if properties is not None:
            change["add_properties"] = text_map(properties, "properties")
        if description is not None:
            change["description"] = description
        given = {key: value for key, value in settings.items() if value is not None}
        if given:
            kept = deployments.settings_for(given, self._record.get("target") or "process")
            if kept:
                change["deployment"] = kept
        if not change:
            print("Nothing to update")
            return
        self._patch(change)

    def _build(self, models, config):
        """An image of what `config` says, an InferenceConfig or an image configuration."""
        from azureml.core._slipway import models as model_calls
        from azureml.core._slipway import scripts
        from azureml.core.image.image import start_image

        if config is None:
            raise UserErrorException("models need an inference_config, or deploy them anew")
        found = self.image.model_ids if models is None else models
        ids = [model.id for model in model_calls.resolve(self.workspace, found)]
        fields = scripts.fields(self.workspace, config)
        image = start_image(self.workspace, self.name, ids, fields)
        image.wait_for_creation()
        self._sources = (ids, config)
        return image

    def _patch(self, change):
        operation = self.workspace._connection.patch(self._path(""), change)
        self._operation_id, self._change = operation["id"], "update"
        self.update_deployment_state()

    def _label(self, change):
        """Changes what rolls nothing, and waits for that."""
        self._patch(change)
        operation = operations.wait(self.workspace._connection, self._operation_id)
        self.update_deployment_state()
        if operation["state"] != "Succeeded":
            raise self._failure(operation)

    def _wait(self, progress, timeout):
        """The operation that makes or changes the service; None where it is not known."""
        connection = self.workspace._connection
        if self._operation_id:
            operation = operations.wait(connection, self._operation_id, progress, timeout)
            if operation is None:
                raise self._timed_out(timeout)
            return operation
        for seconds in pauses():
            self.update_deployment_state()
            if self.state != "Transitioning":
                return None
            if timeout is not None and seconds >= timeout:
                raise self._timed_out(timeout)
            progress.tick(seconds)

    def _timed_out(self, timeout) -> WebserviceException:
        self.update_deployment_state()
        error = {
            "code": "DeploymentTimedOut",
            "statusCode": 504,
            "message": f"The service is not there after {timeout} seconds. It is still being "
            "deployed; wait_for_deployment() waits on.",
        }
        return self._polling_failure(error, None)

    def _failure(self, operation) -> WebserviceException:
        operation = operation or {}
        cause = operation.get("error_cause") or self._record.get("cause") or ""
        code = operation.get("error_code") or cause or "InternalServerError"
        message = operation.get("error") or self._record.get("detail") or "the service is not well"
        detail = {"code": cause or code, "message": self._record.get("detail") or message}
        if operation.get("fix"):
            detail["message"] += f" Fix: {operation['fix']}"
        error = {"code": code, "statusCode": 400, "message": message, "details": [detail]}
        # What failed may be about to start once more.
        ended = operation.get("state") == "Failed" and self.state == "Transitioning"
        return self._polling_failure(error, operation.get("fix"), "Failed" if ended else None)

    def _polling_failure(self, error: dict, fix, state=None) -> WebserviceException:
        return WebserviceException(
            "Service deployment polling reached non-successful terminal state, current service "
            f"state: {state or self.state}\n"
            f"Operation ID: {self._operation_id}\n"
            "More information can be found using '.get_logs()'\n"
            f"Error:\n{json.dumps(error, indent=2, ensure_ascii=False)}",
            status_code=error["statusCode"],
            code=error["code"],
            fix=fix or "",
        )

    def _setting(self, name):
        value = self._record.get(name)
        return (self._record.get("deployment") or {}).get(name) if value is None else value

    def _path(self, below):
        return self.workspace._path(f"/services/{part(self.name)}{below}")

    def __repr__(self):
        return (
            f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name}, "
            f"image_id={self.image_id}, compute_type={self.compute_type}, state={self.state}, "
            f"scoring_uri={self.scoring_uri}, tags={self.tags}, properties={self.properties})"
        )


def find_record(workspace, name):
    """The service's record, None if there is none."""
    try:
        return workspace._connection.get(workspace._path(f"/services/{part(name)}"))
    except WebserviceException as error:
        if error.status_code == 404 and error.code == "Service.NotFound":
            return None
        raise


def _type_of(record) -> str:
    """What the service was deployed for: as its maker said, else as where it runs."""
    kept = (record.get("properties") or {}).get(deployments._KEPT_TYPE)
    by_target = {"aci": "ACI", "kubernetes": "AKS"}.get(record.get("target"))
    return by_target or kept or (record.get("compute_type") or "").upper()


def _image_id(image) -> str:
    from azureml.core.image import Image

    if isinstance(image, Image):
        return image.id
    if isinstance(image, str) and image:
        return image
    raise UserErrorException(f"{image!r} is no image: pass an Image, or name:version")
