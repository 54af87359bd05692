# SPDX-License-Identifier: Apache-2.0
"""`Model.package`: an image of models, to be taken elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from azureml.core._slipway import files
from azureml.core._slipway import models as model_calls
from azureml.core._slipway import scripts
from azureml.core._slipway.notices import ignored
from azureml.core.image.image import start_image
from azureml.exceptions import UserErrorException, WebserviceException

_LOAD_SECONDS = 1800


class ModelPackage:
    """An image that is being built; see `wait_for_creation`."""

    def __init__(self, image, generates_dockerfile: bool):
        self._image = image
        self._generates_dockerfile = generates_dockerfile

    @property
    def location(self):
        """Where the image can be pulled from; its name in the workspace until it was pushed."""
        return self._image.image_location

    package_id = property(lambda self: self._image.id)
    state = property(lambda self: self._image.creation_state)
    workspace = property(lambda self: self._image.workspace)
    environment = None

    def wait_for_creation(self, show_output=False):
        """Until the image is built. WebserviceException where that failed."""
        self._image.wait_for_creation(show_output)

    def get_logs(self, decode=True, offset=0):
        """What building the image told."""
        text = self._image.get_logs()[offset:]
        return text if decode else text.encode("utf-8")

    def get_container_registry(self):
        """Where the image was pushed to; empty where it was not."""
        from azureml.core.container_registry import ContainerRegistry

        host, slash, _ = self._image.image_location.partition("/")
        return ContainerRegistry(host if slash else "")

    def pull(self):
        """Loads the image into the Docker of this machine; gives its name there."""
        docker = shutil.which("docker")
        if docker is None:
            raise WebserviceException(
                "there is no docker on this machine to pull into\n"
                "Fix: save(DIR) writes the image as a file"
            )
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            archive = self._archive(Path(folder))
            done = subprocess.run(
                [docker, "load", "-i", str(archive)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=_LOAD_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            why = done.stderr.decode("utf-8", "replace").strip()
            raise WebserviceException(f"docker load failed: {why}")
        return self._image.id

    def save(self, output_directory):
        """Writes the image as `<name>-<version>.tar`, which `docker load -i` takes, and the
        `Dockerfile` that tells what is in it where one was asked for."""
        folder = Path(output_directory)
        folder.mkdir(parents=True, exist_ok=True)
        self._archive(folder)
        if self._generates_dockerfile:
            self._image.update_creation_state()
            text = self._image.generated_dockerfile
            if not text:
                raise WebserviceException(f"the service tells no Dockerfile of {self._image.id}")
            (folder / "Dockerfile").write_text(text, encoding="utf-8")

    def serialize(self):
        return {"location": self.location, "packageId": self.package_id, "state": self.state}

    def _archive(self, folder: Path) -> Path:
        target = folder / f"{self._image.name}-{self._image.version}.tar"
        files.fetch(
            self.workspace, self._image._path("/archive"), {"format": "docker-archive"}, target
        )
        return target


def build_package(
    workspace, models, inference_config, generate_dockerfile, image_name, image_label
) -> ModelPackage:
    found = model_calls.resolve(workspace, models)
    if not found and inference_config is None:
        raise UserErrorException("there is nothing to package: neither models nor a script")
    ignored("Model.package", "the version of the image counts up", image_label=image_label)
    fields = scripts.inference_fields(workspace, inference_config) if inference_config else {}
    name = image_name or _name_for(found)
    image = start_image(workspace, name, [model.id for model in found], fields)
    return ModelPackage(image, generate_dockerfile)


def _name_for(models) -> str:
    stem = models[0].name if models else os.path.basename(os.getcwd())
    return re.sub(r"[^a-z0-9]+", "-", f"{stem}-package".lower()).strip("-")
