# SPDX-License-Identifier: Apache-2.0
"""The one kind of image there is: a container image that answers requests."""

from __future__ import annotations

from azureml.core._slipway.notices import ignored
from azureml.core.container_registry import ContainerRegistry
from azureml.core.image.image import Image
from azureml.exceptions import UserErrorException, WebserviceException

_RUNTIMES = ("python", "spark-py")
_CUDA_VERSIONS = ("9.0", "9.1", "10.0")


class ContainerImageConfig:
    """What an image is to be made of. Made by `ContainerImage.image_configuration`."""

    def __init__(self, **values):
        self.__dict__.update(values)


class ContainerImage(Image):
    """An image of Docker's kind."""

    image_type = "Docker"
    image_flavor = "WebApiContainer"

    @staticmethod
    def image_configuration(
        execution_script=None,
        runtime="python",
        conda_file=None,
        docker_file=None,
        schema_file=None,
        dependencies=None,
        enable_gpu=None,
        tags=None,
        properties=None,
        description=None,
        base_image=None,
        base_image_registry=None,
        allow_absolute_path=False,
        cuda_version=None,
        entry_script=None,
    ):
        """Paths are relative to the current folder. `docker_file` holds extra steps, no FROM;
        `dependencies` are files and folders that go beside the script."""
        from azureml.core._slipway import scripts
        from azureml.core._slipway.text import text_map

        script = execution_script or entry_script
        if not script:
            raise UserErrorException("an image configuration needs an execution_script")
        if runtime not in _RUNTIMES:
            raise WebserviceException(
                f'runtime "{runtime}" is none of {", ".join(_RUNTIMES)}', code="Image.Runtime"
            )
        if cuda_version is not None and str(cuda_version) not in _CUDA_VERSIONS:
            raise WebserviceException(
                f'cuda_version "{cuda_version}" is none of {", ".join(_CUDA_VERSIONS)}'
            )
        ignored(
            "ContainerImage.image_configuration",
            "the scoring script itself declares its schema, with @input_schema",
            schema_file=schema_file,
        )
        ignored(
            "ContainerImage.image_configuration",
            "the runtime brings what it needs",
            cuda_version=cuda_version,
        )
        config = ContainerImageConfig(
            execution_script=script,
            runtime=runtime,
            conda_file=conda_file,
            docker_file=docker_file,
            dependencies=[dependencies] if isinstance(dependencies, str) else dependencies or [],
            enable_gpu=bool(enable_gpu),
            tags=text_map(tags, "tags"),
            properties=text_map(properties, "properties"),
            description=description or "",
            base_image=base_image,
            base_image_registry=base_image_registry or ContainerRegistry(),
            allow_absolute_path=allow_absolute_path,
        )
        scripts.check_image_config(config)
        return config
