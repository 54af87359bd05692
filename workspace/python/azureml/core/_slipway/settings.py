# SPDX-License-Identifier: Apache-2.0
"""Where the workspace is: config.json upward from a folder, the environment, a local service.

The same rules as the command line's, so that both lead to one workspace.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from azureml.core._slipway.connection import Connection, normal_address
from azureml.core._slipway.notices import say_once
from azureml.core._slipway.text import nearest
from azureml.exceptions import ServiceException, UserErrorException

_NAME_KEYS = ("subscription_id", "resource_group", "workspace_name")
_FILE_BYTES = 64 << 10
COMPUTE_TYPES = ("ACI", "AKS", "LOCAL")
TARGETS = ("process", "docker", "aci", "kubernetes")


class Config:
    """A workspace file. `endpoint`, `token_file` and `targets` are additions to the v1 form."""

    def __init__(self, path: Path, values: dict):
        self.path = path
        self.subscription_id = values.get("subscription_id") or ""
        self.resource_group = values.get("resource_group") or ""
        self.workspace_name = values["workspace_name"]
        self.endpoint = values.get("endpoint") or ""
        self.token_file = values.get("token_file") or ""
        self.targets = values.get("targets") or {}

    def names(self) -> tuple[str, str, str]:
        return self.subscription_id, self.resource_group, self.workspace_name

    def token(self) -> str:
        return read_token(self.path.parent / self.token_file) if self.token_file else ""


def read_config(path: Path) -> Config:
    """UserErrorException naming the file and the key that is wrong."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_FILE_BYTES + 1)
        if len(raw) > _FILE_BYTES:
            raise ValueError("it is too large to be a workspace file")
        values = json.loads(raw.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserErrorException(
            f"cannot read the workspace file {path}: {error}", error
        ) from error
    if not isinstance(values, dict):
        raise UserErrorException(f"the workspace file {path} must hold a JSON object")
    for key in (*_NAME_KEYS, "endpoint", "token_file"):
        if not isinstance(values.get(key) or "", str):
            raise UserErrorException(f'the workspace file {path}: "{key}" must be a string')
    if not values.get("workspace_name"):
        raise UserErrorException(f'the workspace file {path} has no "workspace_name"')
    _check_targets(path, values.get("targets"))
    return Config(path, values)


def _check_targets(path: Path, targets) -> None:
    if targets is None:
        return
    if not isinstance(targets, dict):
        raise UserErrorException(f'the workspace file {path}: "targets" must be an object')
    for name, target in targets.items():
        if target not in TARGETS:
            raise UserErrorException(
                f'the workspace file {path}: target "{target}" of "{name}" is none of '
                f"{', '.join(TARGETS)}{nearest(str(target), TARGETS)}"
            )


def find_config(start: Path, file_name: str | None = None) -> Config | None:
    """The nearest workspace file in `start` or a folder above; in each folder first `.azureml`,
    then `aml_config`, then the folder itself. A plain config.json that is no workspace file
    belongs to somebody else and is passed over."""
    name = file_name or "config.json"
    for folder in (start, *start.parents):
        found = []
        for place in (folder / ".azureml", folder / "aml_config", folder):
            path = place / name
            if not path.is_file():
                continue
            try:
                found.append(read_config(path))
            except UserErrorException:
                if place != folder or file_name is not None:
                    raise
        if not found:
            continue
        for other in found[1:]:
            if other.names() != found[0].names():
                say_once(f"{other.path} names another workspace; {found[0].path} is what counts")
        return found[0]
    return None


def state_folder() -> Path | None:
    """Where a local workspace service keeps its state."""
    state = os.environ.get("SLIPWAY_STATE")
    if state:
        return Path(state).absolute()
    data = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(data):
        return Path(data) / "slipway"
    home = os.environ.get("HOME")
    return Path(home) / ".local/share/slipway" if home else None


def local_address(state: Path | None) -> str:
    """Where the service of a state folder listens; empty where none is known."""
    if state is None:
        return ""
    try:
        address = json.loads((state / "run" / "endpoint.json").read_text("utf-8"))["address"]
        return normal_address(address)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ServiceException):
        return ""


def read_token(path: Path) -> str:
    """The first line of a token file. UserErrorException where there is none."""
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise UserErrorException(f"cannot read the token file {path}: {error}", error) from error
    if not token or any(not ("!" <= c <= "~") for c in token):
        raise UserErrorException(f"the token file {path} does not hold one token on one line")
    return token


def connect(config: Config | None = None, auth=None) -> Connection:
    """The service that `SLIPWAY_ENDPOINT` names, else the file, else the one of this machine."""
    state = state_folder()
    local = local_address(state)
    endpoint = os.environ.get("SLIPWAY_ENDPOINT", "")
    from_config = not endpoint and config is not None and bool(config.endpoint)
    if from_config:
        endpoint = config.endpoint
    if not endpoint:
        endpoint = local
    if not endpoint:
        raise ServiceException(
            f"no workspace service runs for the state folder {state}\n"
            "Code: Service.NotRunning\n"
            'Fix: slipway up, or name one: SLIPWAY_ENDPOINT, or "endpoint" in config.json'
        )
    return Connection(endpoint, _token(normal_address(endpoint), config, from_config, auth))


def _token(endpoint: str, config: Config | None, from_config: bool, auth) -> str:
    token = auth._slipway_token() if hasattr(auth, "_slipway_token") else ""
    token = token or os.environ.get("SLIPWAY_TOKEN", "")
    if token:
        return token
    if from_config and config.token_file:
        return config.token()
    state = state_folder()
    if endpoint == local_address(state):
        return read_token(state / "admin.token")
    return ""
