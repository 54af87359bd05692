# SPDX-License-Identifier: Apache-2.0
"""What `azureml.core.model.Model` does beyond finding files: registering, finding, downloading."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from azureml.core._slipway import files
from azureml.core._slipway.connection import part
from azureml.core._slipway.text import filter_pairs, fits, split_id, text_map
from azureml.exceptions import (
    ModelNotFoundException,
    ModelPathNotFoundException,
    UserErrorException,
    WebserviceException,
)


def register(workspace, model_path, model_name, details: dict, child_paths) -> dict:
    """The record of the version that was made."""
    sources = _sources(model_path, child_paths)
    body = dict(details)
    body["name"] = model_name
    body["tags"] = text_map(details["tags"], "tags")
    body["properties"] = text_map(details["properties"], "properties")
    print(f"Registering model {model_name}")
    body["files"] = [files.send(workspace, source) for source in sources]
    return workspace._connection.post(workspace._path("/models"), body)


def _sources(model_path, child_paths) -> list[files.Source]:
    """The files of a model. Those of a folder keep the folder's name above them."""
    path = Path(model_path)
    if not path.exists():
        raise ModelPathNotFoundException(
            f"there is no file or folder {model_path} to register as a model (looked from "
            f"{os.getcwd()})"
        )
    if not path.is_dir():
        if child_paths:
            raise UserErrorException(f"child_paths needs a folder, and {model_path} is a file")
        return [files.Source(path.name, path)]
    root = path.resolve()
    if child_paths is None:
        found = files.tree(root, root.name)
    else:
        found = []
        for child in [child_paths] if isinstance(child_paths, str) else child_paths:
            found += _child(root, child)
    if not found:
        raise UserErrorException(f"the folder {model_path} has no files to register")
    return list({source.path: source for source in found}.values())


def _child(root: Path, child) -> list[files.Source]:
    place = Path(os.path.normpath(root / child))
    if os.path.isabs(child) or root not in (place, *place.parents):
        raise UserErrorException(f"child_paths: {child} is not below {root}")
    if not place.exists():
        raise ModelPathNotFoundException(f"child_paths: there is no {child} in {root}")
    inside = place.relative_to(root)
    under = (Path(root.name) / inside).as_posix()
    return files.tree(place, under) if place.is_dir() else [files.Source(under, place)]


def find(workspace, name, tags, properties, latest, framework=None) -> list[dict]:
    query = [("tag", _query_pair(pair)) for pair in filter_pairs(tags, "tags")]
    query += [("property", _query_pair(pair)) for pair in filter_pairs(properties, "properties")]
    if name is not None:
        query.append(("name", name))
    if latest:
        query.append(("latest", "true"))
    found = workspace._connection.pages(workspace._path("/models"), query)
    return [
        record
        for record in found
        if framework is None or (record.get("framework") or "").lower() == framework.lower()
    ]


def _query_pair(pair) -> str:
    key, value = pair
    return key if value is None else f"{key}={value}"


def look_up(workspace, name, id, tags, properties, version, run_id, framework) -> dict:
    """The newest version that fits all that is given."""
    if name is None and id is None:
        raise WebserviceException("a model is named by its name, or by its id (name:version)")
    if run_id is not None:
        raise ModelNotFoundException(f"no model of this workspace came from run {run_id}")
    if id is not None:
        named, numbered = split_id(id)
        if numbered is None:
            raise WebserviceException(f'"{id}" is no id of a model (name:version)')
        if (name, version) not in ((None, None), (named, None), (named, numbered)):
            raise WebserviceException(f'id "{id}" and name "{name}", version {version} differ')
        name, version = named, numbered
    if version is None and (tags or properties or framework):
        found = find(workspace, name, tags, properties, False, framework)
        if found:
            return max(found, key=lambda record: record["version"])
        raise ModelNotFoundException(
            f'ModelNotFound: no version of model "{name}" has these tags and properties',
            status_code=404,
            code="Model.NotFound",
        )
    wanted = "latest" if version is None else int(version)
    path = workspace._path(f"/models/{part(name)}/versions/{wanted}")
    try:
        record = workspace._connection.get(path)
    except WebserviceException as error:
        if error.status_code != 404:
            raise
        raise ModelNotFoundException(
            f"ModelNotFound: {error}", error, status_code=404, code=error.code, fix=error.fix
        ) from error
    pairs = filter_pairs(tags, "tags")
    if not fits(pairs, record.get("kv_tags") or {}):
        raise ModelNotFoundException(f"ModelNotFound: {record['id']} does not have the tags {tags}")
    return record


def download(model, target_dir, exist_ok: bool) -> str:
    folder = Path(target_dir)
    tops = sorted({files.safe_path(entry["path"]).parts[0] for entry in model._record["files"]})
    there = [top for top in tops if (folder / top).exists()]
    if there and not exist_ok:
        raise WebserviceException(
            f"{folder / there[0]} is there already, so that model {model.id} is not downloaded "
            "over it\nFix: pass exist_ok=True to replace it, or another target_dir"
        )
    _fetch_all(model, folder)
    return str(folder / tops[0]) if len(tops) == 1 else str(folder)


def download_version(model, place: str) -> None:
    """Fetches all files of a model into the new folder `place`, which is whole or not there."""
    parent = Path(place).parent
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=str(parent)))
    try:
        _fetch_all(model, partial)
        os.chmod(partial, 0o755)
        try:
            os.rename(partial, place)
        except OSError:
            # Somebody else was faster.
            if not os.path.isdir(place):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch_all(model, folder: Path) -> None:
    for entry in model._record["files"]:
        target = folder / files.safe_path(entry["path"])
        files.fetch(
            model.workspace,
            model._path("/content"),
            {"path": entry["path"]},
            target,
            entry["digest"],
        )


def serialize(model) -> dict:
    record = model._record
    return {
        "id": model.id,
        "name": model.name,
        "version": model.version,
        "description": model.description,
        "tags": model.tags,
        "properties": model.properties,
        "createdTime": record.get("created_time"),
        "modifiedTime": record.get("updated_time"),
        "framework": model.framework,
        "frameworkVersion": model.framework_version,
        "url": model.url,
        "mimeType": model.mime_type,
        "unpack": model.unpack,
        "digest": model.digest,
        "runId": None,
        "experimentName": None,
        "datasets": {},
    }


def resolve(workspace, models) -> list:
    """What callers give as models (objects or `name:version`), as objects of this workspace."""
    from azureml.core.model import Model

    if models is None:
        return []
    if isinstance(models, (str, Model)):
        models = [models]
    found = []
    for model in models:
        if isinstance(model, str):
            name, version = split_id(model)
            model = Model(workspace, name, version=version)
        if not isinstance(model, Model):
            raise UserErrorException(f"{model!r} is no model: pass Model objects, or name:version")
        found.append(model)
    return found
