# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as `InferenceConfig` takes it."""

from __future__ import annotations

import copy

from azureml.core._slipway.absent import refuse
from azureml.core._slipway.notices import say_once
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.container_registry import ContainerRegistry
from azureml.exceptions import UserErrorException

DEFAULT_CPU_IMAGE = ""
DEFAULT_GPU_IMAGE = ""


class PythonSection:
    """`conda_dependencies` is what goes into the image."""

    def __init__(self):
        self.conda_dependencies = CondaDependencies()
        self.user_managed_dependencies = False
        self.interpreter_path = "python"


class DockerSection:
    """`base_image` empty: Debian. `base_dockerfile` holds extra steps, without FROM."""

    def __init__(self):
        self.enabled = True
        self.base_image = None
        self.base_dockerfile = None
        self.base_image_registry = ContainerRegistry()
        self.gpu_support = False
        self.arguments = []


class Environment:
    """Python packages and a base image. It lives in this process: a workspace keeps images, each
    with its lock of packages, and no environments."""

    def __init__(self, name, **_):
        if not isinstance(name, str) or not name:
            raise UserErrorException(f"the name of an environment must be text, not {name!r}")
        self.name = name
        self.version = None
        self.python = PythonSection()
        self.docker = DockerSection()
        self.environment_variables = {}
        self.inferencing_stack_version = None

    @staticmethod
    def from_conda_specification(name, file_path):
        """An environment of a dependency file."""
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies(file_path)
        return environment

    @staticmethod
    def from_pip_requirements(name, file_path, pip_version=None):
        """An environment of a requirements file."""
        try:
            with open(file_path, encoding="utf-8-sig") as file:
                lines = [line.split(" #")[0].strip() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            raise UserErrorException(f"cannot read {file_path}: {error}", error) from error
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies.create(
            pip_packages=[line for line in lines if line and not line.startswith("#")]
        )
        return environment

    @staticmethod
    def from_existing_conda_environment(name, conda_environment_name):
        raise refuse(
            "Environment.from_existing_conda_environment",
            "conda env export > env.yml, then Environment.from_conda_specification",
        )

    @staticmethod
    def get(workspace, name, version=None):
        raise refuse(
            f'the registered or curated environment "{name}"',
            "write its packages to a file, then Environment.from_conda_specification",
        )

    @staticmethod
    def list(workspace):
        return {}

    def register(self, workspace):
        """Keeps nothing."""
        say_once(
            "Environment.register is accepted and keeps nothing: images carry the lock of their "
            "packages"
        )
        return self

    def build(self, workspace, image_build_compute=None):
        raise refuse("Environment.build", "Model.package builds the image of models with a script")

    def clone(self, new_name):
        """A copy under another name."""
        made = copy.deepcopy(self)
        made.name = new_name
        return made
