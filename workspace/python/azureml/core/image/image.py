# SPDX-License-Identifier: Apache-2.0
"""An image of a workspace, whatever its kind."""

from __future__ import annotations

import uuid

from azureml.core._slipway import operations
from azureml.core._slipway.connection import explain, part
from azureml.core._slipway.notices import say_once
from azureml.core._slipway.record import Versioned
from azureml.core._slipway.text import filter_pairs, fits, split_id, text_map
from azureml.exceptions import UserErrorException, WebserviceException

_STATES = {"Creating": "Running"}


class Image(Versioned):
    """A version of an image; the newest one where no version is given."""

    def __init__(self, workspace, name=None, id=None, tags=None, properties=None, version=None):
        self.workspace = workspace
        self._operation_id = None
        self._record = _look_up(workspace, name, id, version)
        kept = fits(filter_pairs(tags, "tags"), self.tags)
        if not kept or not fits(filter_pairs(properties, "properties"), self.properties):
            raise WebserviceException(
                f"ImageNotFound: image {self.id} does not have these tags and properties",
                status_code=404,
                code="Image.NotFound",
            )

    @classmethod
    def _of(cls, workspace, record, operation_id=None):
        from azureml.core.image.container import ContainerImage

        image = object.__new__(ContainerImage)
        image.workspace = workspace
        image._record = record
        image._operation_id = operation_id
        return image

    @staticmethod
    def create(workspace, name, models, image_config):
        """Begins to build the next version of `name`; see `wait_for_creation`."""
        from azureml.core._slipway import models as model_calls
        from azureml.core._slipway import scripts

        ids = [model.id for model in model_calls.resolve(workspace, models)]
        fields = scripts.image_fields(workspace, image_config)
        return start_image(workspace, name, ids, fields)

    @staticmethod
    def list(
        workspace,
        image_name=None,
        model_name=None,
        model_id=None,
        tags=None,
        properties=None,
    ):
        """The versions of images, newest first, that fit all that is given."""
        query = [("name", image_name)] if image_name is not None else []
        records = workspace._connection.pages(workspace._path("/images"), query)
        wanted_tags = filter_pairs(tags, "tags")
        wanted_properties = filter_pairs(properties, "properties")
        found = []
        for record in records:
            models = record.get("models") or []
            if model_id is not None and model_id not in models:
                continue
            if model_name is not None and model_name not in [split_id(id)[0] for id in models]:
                continue
            if fits(wanted_tags, record.get("kv_tags") or {}) and fits(
                wanted_properties, record.get("properties") or {}
            ):
                found.append(Image._of(workspace, record))
        return found

    @property
    def creation_state(self):
        """NotStarted, Running, Succeeded or Failed, as last seen."""
        return _STATES.get(self._record["state"], self._record["state"])

    @property
    def image_location(self):
        """Where the image can be pulled from; its name alone until it was pushed."""
        return self._record.get("image_location") or self.id

    @property
    def image_build_log_uri(self):
        """Reading it needs the workspace's token."""
        return self.workspace._connection.url(self._path("/logs"))

    @property
    def generated_dockerfile_uri(self):
        """The image itself as JSON; its field `generated_dockerfile` is the text."""
        return self.workspace._connection.url(self._path(""))

    @property
    def generated_dockerfile(self):
        """What was done, in the words of a Dockerfile."""
        return self._record.get("generated_dockerfile") or ""

    @property
    def model_ids(self):
        return list(self._record.get("models") or [])

    @property
    def models(self):
        from azureml.core.model import Model

        return [Model(self.workspace, id=id) for id in self.model_ids]

    @property
    def digest(self):
        """Of the image's manifest: the same content, the same digest."""
        return self._record.get("digest") or None

    image_type = "Docker"
    image_flavor = "WebApiContainer"
    auto_delete = False

    def wait_for_creation(self, show_output=False):
        """Until the image is built. WebserviceException where that failed."""
        progress = operations.Progress(show_output)
        operation = self._wait(progress)
        self.update_creation_state()
        state = self.creation_state
        progress.end(state)
        print(f'Image creation operation finished for image {self.id}, operation "{state}"')
        if state != "Succeeded":
            raise self._failure(operation)
        for warning in self._record.get("warnings") or ():
            line = f" line {warning['line']}" if warning.get("line") else ""
            fix = f" Fix: {warning['fix']}" if warning.get("fix") else ""
            say_once(f"image {self.id}{line}: {warning['message']} ({warning['code']}){fix}")

    def update_creation_state(self):
        """Looks at the image again."""
        self._record = self.workspace._connection.get(self._path(""))

    update_deployment_state = update_creation_state

    def get_logs(self):
        """What building the image told."""
        return self.workspace._connection.text(self._path("/logs"))

    def delete(self):
        """Refused while a service runs the image."""
        self.workspace._connection.delete(self._path(""))

    def add_tags(self, tags):
        self._change({"add_tags": text_map(tags, "tags")})

    def remove_tags(self, tags):
        from azureml.core._slipway.text import name_list

        self._change({"remove_tags": name_list(tags, "tags")})

    def add_properties(self, properties):
        """Adds properties; one that is there cannot be changed."""
        self._change({"add_properties": text_map(properties, "properties")})

    def update(self, tags=None):
        """Replaces the tags."""
        if tags is not None:
            self._change({"tags": text_map(tags, "tags")})

    def run(self, input_data):
        """Answers one request with the image, run for that moment as a process."""
        from azureml.core.webservice import LocalWebservice, Webservice

        service = Webservice.deploy_from_image(
            self.workspace,
            f"run-{uuid.uuid4().hex[:12]}",
            self,
            LocalWebservice.deploy_configuration(),
        )
        try:
            service.wait_for_deployment()
            return service.run(input_data)
        finally:
            service.delete()

    def serialize(self):
        """The image as plain values, with the names of v1's REST interface."""
        return {
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "creationState": self.creation_state,
            "createdTime": self._record.get("created_time"),
            "imageType": self.image_type,
            "imageFlavor": self.image_flavor,
            "imageLocation": self.image_location,
            "imageBuildLogUri": self.image_build_log_uri,
            "generatedDockerfileUri": self.generated_dockerfile_uri,
            "modelIds": self.model_ids,
            "tags": self.tags,
            "properties": self.properties,
            "digest": self.digest,
        }

    def _wait(self, progress):
        """The operation that built the image; None where it is not known any more."""
        operation_id = self._operation_id or self._record.get("operation_id")
        if not operation_id or self._record["state"] != "Creating":
            return None
        return operations.wait(self.workspace._connection, operation_id, progress)

    def _failure(self, operation) -> WebserviceException:
        operation = operation or {}
        why = explain(
            operation.get("error") or self._record.get("error") or "the build failed",
            operation.get("error_code") or "",
            operation.get("fix") or "",
            operation.get("error_cause") or "",
        )
        return creation_failure(why, operation.get("error_code") or "", operation.get("fix") or "")

    def _path(self, below):
        return self.workspace._path(f"/images/{part(self.name)}/versions/{self.version}{below}")

    def _change(self, change):
        self._record = self.workspace._connection.patch(self._path(""), change)

    def __repr__(self):
        return f"{type(self).__name__}(workspace={self.workspace!r}, id={self.id})"


def start_image(workspace, name, model_ids, fields) -> Image:
    """Asks for an image. What the service refuses before it builds is a failed creation too."""
    print("Creating image")
    try:
        operation = workspace._connection.post(
            workspace._path("/images"), {"name": name, "models": model_ids, **fields}
        )
    except WebserviceException as error:
        if error.status_code is None or error.status_code >= 500:
            raise
        raise creation_failure(str(error), error.code, error.fix, error.status_code) from error
    record = workspace._connection.get(operation["resource"])
    return Image._of(workspace, record, operation["id"])


def creation_failure(why: str, code: str, fix: str, status: int = 400) -> WebserviceException:
    return WebserviceException(
        f"Image creation failed with\nStatusCode: {status}\nMessage: {why}",
        status_code=status,
        code=code,
        fix=fix,
    )


def _look_up(workspace, name, id, version) -> dict:
    if id is not None:
        name, numbered = split_id(id)
        version = numbered if version is None else version
    if not name:
        raise UserErrorException("an image is named by its name, or by its id (name:version)")
    wanted = "latest" if version is None else int(version)
    try:
        return workspace._connection.get(workspace._path(f"/images/{part(name)}/versions/{wanted}"))
    except WebserviceException as error:
        if error.status_code == 404:
            raise WebserviceException(
                f"ImageNotFound: {error}", error, status_code=404, code=error.code, fix=error.fix
            ) from error
        raise
