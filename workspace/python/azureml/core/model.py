# SPDX-License-Identifier: Apache-2.0
"""A registered model, and where a scoring script finds its files.

Light to import, without network: everything but `Model.get_model_path` is imported when it is
first used.
"""

from __future__ import annotations

import os

from azureml.core._slipway import model_cache
from azureml.core._slipway.record import Versioned
from azureml.exceptions import ModelNotFoundException, UserErrorException, WebserviceException


class Model(Versioned):
    """A version of a model in a workspace; the newest one where no version is given."""

    class Framework:
        """What a model is made with."""

        CUSTOM = "Custom"
        ONNX = "Onnx"
        SCIKITLEARN = "ScikitLearn"
        TENSORFLOW = "TensorFlow"

    def __init__(
        self,
        workspace,
        name=None,
        id=None,
        tags=None,
        properties=None,
        version=None,
        run_id=None,
        model_framework=None,
        expand=True,
        **further,
    ):
        from azureml.core._slipway import models, notices

        notices.further(Model.__init__, further)
        self.workspace = workspace
        self._record = models.look_up(
            workspace, name, id, tags, properties, version, run_id, model_framework
        )

    @classmethod
    def _of(cls, workspace, record):
        model = cls.__new__(cls)
        model.workspace = workspace
        model._record = record
        return model

    @staticmethod
    def register(
        workspace,
        model_path,
        model_name,
        tags=None,
        properties=None,
        description=None,
        datasets=None,
        model_framework=None,
        model_framework_version=None,
        child_paths=None,
        sample_input_dataset=None,
        sample_output_dataset=None,
        resource_configuration=None,
        **others,
    ):
        """Registers a file or folder as the next version of `model_name`."""
        from azureml.core._slipway import models
        from azureml.core._slipway.notices import ignored

        ignored(
            "Model.register",
            datasets=datasets,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
            **others,
        )
        record = models.register(
            workspace,
            model_path,
            model_name,
            {
                "tags": tags,
                "properties": properties,
                "description": description or "",
                "framework": model_framework or "",
                "framework_version": model_framework_version or "",
            },
            child_paths,
        )
        return Model._of(workspace, record)

    @staticmethod
    def list(
        workspace,
        name=None,
        tags=None,
        properties=None,
        run_id=None,
        latest=False,
        dataset_id=None,
        expand=True,
        page_count=255,
        model_framework=None,
        **further,
    ):
        """The versions of models, newest first, that fit all that is given."""
        from azureml.core._slipway import models, notices

        notices.further(Model.list, further)
        if run_id is not None or dataset_id is not None:
            return []
        records = models.find(workspace, name, tags, properties, latest, model_framework)
        return [Model._of(workspace, record) for record in records]

    @staticmethod
    def get_model_path(model_name, version=None, _workspace=None):
        """The path of a model's file, or of its folder where it has several.

        In an image, and in the cache of the current folder, without network. With `_workspace` a
        model that is not there is downloaded into that cache.
        """
        if not isinstance(model_name, str) or not model_name:
            raise UserErrorException(f"model_name must be a name, not {model_name!r}")
        found = None
        if version is not None or _workspace is None:
            found = model_cache.find(model_name, version)
        if found is not None:
            return found
        if _workspace is None:
            raise ModelNotFoundException(model_cache.not_found(model_name, version))
        return Model(_workspace, model_name, version=version)._cached()

    @staticmethod
    def deploy(
        workspace,
        name,
        models,
        inference_config=None,
        deployment_config=None,
        deployment_target=None,
        overwrite=False,
        show_output=False,
        **further,
    ):
        """Deploys models as a service; without an `inference_config` an ONNX model is served as it
        is, with no script."""
        from azureml.core._slipway import deployments, notices

        notices.further(Model.deploy, further)
        return deployments.deploy_models(
            workspace,
            name,
            models,
            inference_config,
            deployment_config,
            deployment_target,
            overwrite,
        )

    @staticmethod
    def package(
        workspace,
        models,
        inference_config=None,
        generate_dockerfile=False,
        image_name=None,
        image_label=None,
        **further,
    ):
        """Builds an image of the models to be run elsewhere."""
        from azureml.core._slipway import notices
        from azureml.core._slipway.package import build_package

        notices.further(Model.package, further)
        return build_package(
            workspace, models, inference_config, generate_dockerfile, image_name, image_label
        )

    @staticmethod
    def profile(
        workspace,
        profile_name,
        models,
        inference_config,
        input_data=None,
        input_dataset=None,
        cpu=None,
        memory_in_gb=None,
        description=None,
        **further,
    ):
        """Measures a model as a service; see ModelProfile."""
        from azureml.core._slipway import notices
        from azureml.core.profile import start_profile

        notices.further(Model.profile, further)
        return start_profile(
            workspace, profile_name, models, inference_config, input_data, input_dataset
        )

    @property
    def framework(self):
        return self._record.get("framework") or None

    model_framework = framework

    @property
    def framework_version(self):
        return self._record.get("framework_version") or None

    model_framework_version = framework_version

    @property
    def url(self):
        return self.workspace._connection.url(self._path("/content"))

    @property
    def mime_type(self):
        return "application/octet-stream"

    @property
    def unpack(self):
        return len(self._record["files"]) > 1

    @property
    def digest(self):
        """Of the model's content: the same files, the same digest."""
        return self._record.get("digest")

    run_id = None
    run = None
    experiment_name = None
    parent_id = None
    created_by = None
    image_id = None
    resource_configuration = None
    sample_input_dataset = None
    sample_output_dataset = None

    @property
    def datasets(self):
        return {}

    def download(self, target_dir=".", exist_ok=False, exists_ok=None):
        """Fetches the model's files into `target_dir`; gives the path of the file, or of the folder
        where there are several."""
        from azureml.core._slipway import models

        return models.download(self, target_dir, exist_ok if exists_ok is None else exists_ok)

    def delete(self):
        """Refused while a service uses the model."""
        self.workspace._connection.delete(self._path(""))

    def add_tags(self, tags):
        """Adds tags, or changes their values."""
        self.update_tags_properties(add_tags=tags)

    def remove_tags(self, tags):
        """Removes tags by their names."""
        self.update_tags_properties(remove_tags=tags)

    def add_properties(self, properties):
        """Adds properties; one that is there cannot be changed."""
        self.update_tags_properties(add_properties=properties)

    def update_tags_properties(self, add_tags=None, remove_tags=None, add_properties=None):
        from azureml.core._slipway.text import name_list, text_map

        change = {}
        if add_tags is not None:
            change["add_tags"] = text_map(add_tags, "add_tags")
        if remove_tags is not None:
            change["remove_tags"] = name_list(remove_tags, "remove_tags")
        if add_properties is not None:
            change["add_properties"] = text_map(add_properties, "add_properties")
        self._change(change)

    def update(
        self,
        tags=None,
        description=None,
        sample_input_dataset=None,
        sample_output_dataset=None,
        resource_configuration=None,
    ):
        """Replaces the tags, or the description; None leaves it as it is."""
        from azureml.core._slipway.notices import ignored
        from azureml.core._slipway.text import text_map

        ignored(
            "Model.update",
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )
        change = {}
        if tags is not None:
            change["tags"] = text_map(tags, "tags")
        if description is not None:
            change["description"] = description
        self._change(change)

    def serialize(self):
        """The model as plain values, with the names of v1's REST interface."""
        from azureml.core._slipway import models

        return models.serialize(self)

    @staticmethod
    def deserialize(workspace, model_payload):
        """The model that `serialize` described, as it is in the workspace now."""
        if not isinstance(model_payload, dict) or not model_payload.get("id"):
            raise WebserviceException("a serialized model must be a dict with an id")
        return Model(workspace, id=model_payload["id"])

    def get_sas_urls(self):
        """The address of each file; reading it needs the workspace's token."""
        return {
            entry["path"]: f"{self.url}?path={entry['path']}" for entry in self._record["files"]
        }

    def print_configuration(self):
        print(self)

    def _path(self, below):
        from azureml.core._slipway.connection import part

        return self.workspace._path(f"/models/{part(self.name)}/versions/{self.version}{below}")

    def _change(self, change):
        if change:
            self._record = self.workspace._connection.patch(self._path(""), change)

    def _cached(self):
        """The path of the model in the cache of the current folder, downloaded where missing."""
        from azureml.core._slipway import models

        place = os.path.join(model_cache.FOLDER, self.name, str(self.version))
        if not os.path.isdir(place):
            models.download_version(self, place)
        return model_cache.content(place)

    def __repr__(self):
        return (
            f"Model(workspace={self.workspace!r}, name={self.name}, id={self.id}, "
            f"version={self.version}, tags={self.tags}, properties={self.properties})"
        )


def __getattr__(name):
    if name == "InferenceConfig":
        from azureml.core.inference_config import InferenceConfig

        return InferenceConfig
    if name == "ModelPackage":
        from azureml.core._slipway.package import ModelPackage

        return ModelPackage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
