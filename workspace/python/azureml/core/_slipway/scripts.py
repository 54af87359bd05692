# SPDX-License-Identifier: Apache-2.0
"""Turns image and inference configurations into the fields of an image request."""

from __future__ import annotations

import os
from pathlib import Path

from azureml.core._slipway import files
from azureml.core._slipway.absent import refuse
from azureml.core._slipway.notices import say_once
from azureml.exceptions import UserErrorException, WebserviceException

# Of a folder of sources: what tools keep there, and the workspace file with its token.
_NO_SOURCES = (".azureml", ".git", ".ipynb_checkpoints", "__pycache__", "aml_config")


def check_image_config(config) -> None:
    """What can be known before anything is sent."""
    script = Path(config.execution_script)
    if script.is_absolute() and not config.allow_absolute_path:
        raise WebserviceException(
            f"execution_script {script} is an absolute path\n"
            "Fix: go to its folder and name it alone, or pass allow_absolute_path=True"
        )
    _must_be_file(script, "execution_script")
    for name in ("conda_file", "docker_file"):
        if getattr(config, name):
            _must_be_file(Path(getattr(config, name)), name)
    for dependency in config.dependencies:
        if not Path(dependency).exists():
            raise WebserviceException(f"dependencies: there is no file or folder {dependency}")


def fields(workspace, config) -> dict:
    """The fields of an image request that either kind of configuration stands for."""
    kind = inference_fields if hasattr(config, "entry_script") else image_fields
    return kind(workspace, config)


def image_fields(workspace, config) -> dict:
    """The fields of an image request that a ContainerImageConfig stands for; sends its files."""
    check_image_config(config)
    _only_python(config.runtime)
    script = Path(config.execution_script)
    fields = {
        "script": files.send(workspace, files.Source(script.name, script)),
        "dependencies": [files.send(workspace, each) for each in _beside(config.dependencies)],
        "description": config.description,
        "tags": config.tags,
        "properties": config.properties,
        "gpu": config.enable_gpu,
    }
    _add_file(workspace, fields, "conda", config.conda_file)
    _add_file(workspace, fields, "docker_file", config.docker_file)
    _add_base(fields, config.base_image, config.base_image_registry)
    return fields


def inference_fields(workspace, config) -> dict:
    """The same for an InferenceConfig."""
    _only_python(config.runtime)
    root = Path(config.source_directory or ".")
    if not root.is_dir():
        raise UserErrorException(f"source_directory {root} is no folder")
    entry = _below(root, config.entry_script, "entry_script")
    dependencies = []
    if config.source_directory:
        sources = files.source_tree(root, _NO_SOURCES)
        dependencies = [each for each in sources if each.path != entry.path]
        if len(dependencies) == len(sources):
            raise UserErrorException(
                f"entry_script {config.entry_script} is left out by an ignore file of {root}"
            )
    else:
        entry.path = Path(entry.path).name
    fields = {
        "script": files.send(workspace, entry),
        "dependencies": [files.send(workspace, each) for each in dependencies],
        "description": config.description or "",
        "gpu": bool(config.enable_gpu),
    }
    if config.environment is not None:
        _add_environment(workspace, fields, config.environment)
    else:
        conda = config.conda_file and _below(root, config.conda_file, "conda_file").file
        _add_file(workspace, fields, "conda", conda)
        _add_base(fields, config.base_image, config.base_image_registry)
    steps = config.extra_docker_file_steps
    if steps:
        steps = _below(root, steps, "extra_docker_file_steps").file
        _add_file(workspace, fields, "docker_file", steps)
    return fields


def _add_environment(workspace, fields: dict, environment) -> None:
    text = environment.python.conda_dependencies.serialize_to_string()
    if environment.python.user_managed_dependencies:
        say_once("Environment: user_managed_dependencies, so that base_image brings the packages")
    else:
        fields["conda"] = files.send_text(workspace, "conda_dependencies.yml", text)
    docker = environment.docker
    _add_base(fields, docker.base_image, docker.base_image_registry)
    if docker.base_dockerfile:
        steps = docker.base_dockerfile
        if os.path.isfile(steps):
            with open(steps, encoding="utf-8") as file:
                steps = file.read()
        fields["docker_file"] = files.send_text(workspace, "Dockerfile", steps)
    fields["gpu"] = fields["gpu"] or bool(docker.gpu_support)
    for name in environment.environment_variables:
        say_once(
            f"Environment: variable {name} is accepted and ignored; set it in the scoring script, "
            "or by an ENV step of the docker file"
        )


def _only_python(runtime: str) -> None:
    if runtime != "python":
        raise refuse(f'runtime "{runtime}"', 'use runtime "python"')


def _beside(dependencies) -> list[files.Source]:
    """Files and folders that lie next to the script in the image, under their own names."""
    sources = []
    for dependency in dependencies:
        place = Path(dependency)
        if place.is_dir():
            sources += files.tree(place, place.resolve().name, _NO_SOURCES)
        else:
            sources.append(files.Source(place.name, place))
    seen = {}
    for source in sources:
        other = seen.setdefault(source.path, source)
        if other.file != source.file:
            raise UserErrorException(
                f"dependencies: {other.file} and {source.file} would both be {source.path} beside "
                "the script"
            )
    return list(seen.values())


def _below(root: Path, name, what: str) -> files.Source:
    """A file of the source directory, by its path there."""
    place = Path(os.path.normpath(root / name))
    _must_be_file(place, what)
    inside = os.path.relpath(place, root)
    if inside.startswith(".."):
        raise UserErrorException(f"{what} {name} is not in {root}")
    return files.Source(Path(inside).as_posix(), place)


def _add_file(workspace, fields: dict, name: str, path) -> None:
    if path:
        fields[name] = files.send(workspace, files.Source(Path(path).name, path))


def _add_base(fields: dict, image, registry) -> None:
    if not image:
        return
    address = (getattr(registry, "address", None) or "").rstrip("/")
    if getattr(registry, "username", None) or getattr(registry, "password", None):
        say_once(
            "base_image_registry: username and password are accepted and not sent; give them to "
            "the workspace service"
        )
    named = not address or image.startswith(f"{address}/")
    fields["base"] = image if named else f"{address}/{image}"


def _must_be_file(path: Path, what: str) -> None:
    if not path.is_file():
        raise WebserviceException(
            f"{what}: there is no file {path} (looked from {os.getcwd()})", code="Image.File"
        )
