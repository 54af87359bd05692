# SPDX-License-Identifier: Apache-2.0
"""What is around a model in its image: script, dependencies, base."""

from __future__ import annotations

from azureml.core._slipway.notices import say_once
from azureml.core.container_registry import ContainerRegistry


class InferenceConfig:
    """A scoring script and what it needs. With `source_directory` all of that folder goes along,
    and the other paths are relative to it; else they are relative to the current folder."""

    def __init__(
        self,
        entry_script,
        runtime=None,
        conda_file=None,
        extra_docker_file_steps=None,
        source_directory=None,
        enable_gpu=None,
        description=None,
        base_image=None,
        base_image_registry=None,
        cuda_version=None,
        environment=None,
    ):
        self.entry_script = entry_script
        self.runtime = runtime or "python"
        self.conda_file = conda_file
        self.extra_docker_file_steps = extra_docker_file_steps
        self.source_directory = source_directory
        self.enable_gpu = enable_gpu
        self.description = description
        self.base_image = base_image
        self.base_image_registry = base_image_registry or ContainerRegistry()
        self.cuda_version = cuda_version
        self.environment = environment
        if environment is not None and (conda_file or base_image):
            say_once(
                "InferenceConfig: environment is given, conda_file and base_image are not used"
            )

    def build_create_payload(self, workspace, name, model_ids):
        """Not there: what is sent is another form."""
        from azureml.core._slipway.absent import refuse

        raise refuse("InferenceConfig.build_create_payload", "call Model.deploy or Model.package")
