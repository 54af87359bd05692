# SPDX-License-Identifier: Apache-2.0
"""A workspace: the place that models, images and services belong to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from azureml.core._slipway import settings
from azureml.core._slipway.absent import refuse
from azureml.core._slipway.connection import part
from azureml.core._slipway.notices import ignored, say_once
from azureml.exceptions import (
    ProjectSystemException,
    UserErrorException,
    WebserviceException,
    WorkspaceException,
)

_CREATE_HINT = 'slipway workspace create {name}, or Workspace.create(name="{name}")'


class Workspace:
    """A workspace that is there. `auth` is needed only where the token is not in a file."""

    def __init__(
        self,
        subscription_id,
        resource_group,
        workspace_name,
        auth=None,
        _location=None,
        _disable_service_check=False,
        _workspace_id=None,
        sku="basic",
        tags=None,
        _cloud="AzureCloud",
        _config=None,
    ):
        config = _config or _config_for(workspace_name)
        self._config = config
        self._auth = auth
        self._connection = settings.connect(config, auth)
        self._known_targets = {}
        try:
            self._record = self._connection.get(f"/workspaces/{part(workspace_name)}")
        except WebserviceException as error:
            raise _workspace_error(error, workspace_name) from error
        self._asked = {
            "subscription_id": subscription_id or "",
            "resource_group": resource_group or "",
        }
        for key, asked in self._asked.items():
            there = self._record.get(key) or ""
            if asked and there and asked != there:
                say_once(
                    f'workspace "{workspace_name}" at {self._connection.endpoint} has {key} '
                    f'"{there}", not "{asked}"; it is used all the same'
                )

    @staticmethod
    def create(
        name,
        auth=None,
        subscription_id=None,
        resource_group=None,
        location=None,
        create_resource_group=True,
        friendly_name=None,
        storage_account=None,
        key_vault=None,
        app_insights=None,
        container_registry=None,
        cmk_keyvault=None,
        resource_cmk_uri=None,
        hbi_workspace=False,
        exist_ok=False,
        show_output=True,
        sku="basic",
        tags=None,
        **others,
    ):
        """Makes a workspace on the service that SLIPWAY_ENDPOINT names, or that runs here."""
        from azureml.core._slipway.text import text_map

        ignored(
            "Workspace.create",
            storage_account=storage_account,
            key_vault=key_vault,
            app_insights=app_insights,
            container_registry=container_registry,
            cmk_keyvault=cmk_keyvault,
            resource_cmk_uri=resource_cmk_uri,
            hbi_workspace=hbi_workspace,
            **others,
        )
        connection = settings.connect(settings.find_config(Path.cwd()), auth)
        body = {
            "name": name,
            "subscription_id": subscription_id or "",
            "resource_group": resource_group or "",
            "description": friendly_name or "",
            "tags": text_map(tags, "tags"),
            "exist_ok": bool(exist_ok),
        }
        if location:
            body["location"] = location
        try:
            connection.post("/workspaces", body)
        except WebserviceException as error:
            raise WorkspaceException(str(error), error) from error
        if show_output:
            print(f"Workspace {name} is ready at {connection.endpoint}")
        return Workspace(subscription_id, resource_group, name, auth)

    @staticmethod
    def get(name, auth=None, subscription_id=None, resource_group=None, location=None, **_):
        """The workspace of that name; ProjectSystemException where there is none."""
        return Workspace(subscription_id, resource_group, name, auth)

    @staticmethod
    def list(subscription_id, auth=None, resource_group=None):
        """The workspaces by name, each in a list of its own. Those that name no subscription
        belong to every one."""
        connection = settings.connect(settings.find_config(Path.cwd()), auth)
        wanted = {"subscription_id": subscription_id, "resource_group": resource_group}
        found = {}
        for record in connection.pages("/workspaces"):
            if all(not want or record.get(key) in ("", want) for key, want in wanted.items()):
                found[record["name"]] = [
                    Workspace(
                        record["subscription_id"], record["resource_group"], record["name"], auth
                    )
                ]
        return found

    @staticmethod
    def from_config(path=None, auth=None, _logger=None, _file_name=None, **_):
        """The workspace that config.json names: `path` is that file, or the folder to search
        upward from (the current one if not given)."""
        start = Path(path).absolute() if path is not None else Path.cwd()
        if start.is_file():
            config = settings.read_config(start)
        elif start.is_dir():
            config = settings.find_config(start, _file_name)
        else:
            raise UserErrorException(f"there is no workspace file or folder {start}")
        if config is None:
            raise UserErrorException(
                f"no workspace file {_file_name or 'config.json'} was found in {start} or a folder "
                "above it\n"
                "Fix: slipway workspace attach NAME writes .azureml/config.json, as does "
                "ws.write_config()"
            )
        print(f"Found the config file in: {config.path}")
        return Workspace(
            config.subscription_id,
            config.resource_group,
            config.workspace_name,
            auth,
            _config=config,
        )

    @property
    def name(self):
        return self._record["name"]

    @property
    def resource_group(self):
        return self._record.get("resource_group") or self._asked["resource_group"]

    @property
    def subscription_id(self):
        return self._record.get("subscription_id") or self._asked["subscription_id"]

    @property
    def location(self):
        return self._record.get("location") or "local"

    @property
    def sku(self):
        return "basic"

    @property
    def tags(self):
        return dict(self._record.get("tags") or {})

    @property
    def models(self):
        """The newest version of each model, by name."""
        from azureml.core.model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def images(self):
        """The newest version of each image, by name."""
        from azureml.core.image import Image

        found = {}
        for image in Image.list(self):
            if image.name not in found or found[image.name].version < image.version:
                found[image.name] = image
        return found

    @property
    def webservices(self):
        """The services by name."""
        from azureml.core.webservice import Webservice

        return {service.name: service for service in Webservice.list(self)}

    @property
    def compute_targets(self):
        """The compute targets that this process attached, or that config.json names."""
        from azureml.core.compute import known_targets

        return known_targets(self)

    @property
    def experiments(self):
        return {}

    @property
    def environments(self):
        return {}

    @property
    def datastores(self):
        return {}

    @property
    def datasets(self):
        return {}

    def get_default_datastore(self):
        raise refuse("a datastore", "register models from files; training data stays where it is")

    def set_default_datastore(self, name):
        raise refuse("a datastore", "register models from files")

    def get_default_keyvault(self):
        raise refuse(
            "a key vault", "keep secrets in the environment of the process that needs them"
        )

    def get_details(self):
        """What v1 told of a workspace; what has no counterpart here is None."""
        return {
            "id": self._resource_id(),
            "name": self.name,
            "location": self.location,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "workspaceid": self._record.get("id"),
            "description": self._record.get("description") or "",
            "friendlyName": self._record.get("description") or self.name,
            "creationTime": self._record.get("created_time"),
            "containerRegistry": None,
            "keyVault": None,
            "applicationInsights": None,
            "identityPrincipalId": None,
            "identityTenantId": None,
            "identityType": None,
            "storageAccount": None,
        }

    def write_config(self, path=None, file_name=None):
        """Writes `.azureml/config.json` in `path`, or in the current folder."""
        values = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
        }
        known = self._config
        # The address of a local service changes with every start; it is found without the file.
        if os.environ.get("SLIPWAY_ENDPOINT") or (known and known.endpoint):
            values["endpoint"] = self._connection.endpoint
        if known and known.token_file:
            values["token_file"] = str((known.path.parent / known.token_file).absolute())
        if known and known.targets:
            values["targets"] = known.targets
        folder = Path(path) if path is not None else Path.cwd()
        file = folder / ".azureml" / (file_name or "config.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_name(f".{file.name}.{os.getpid()}")
        whole.write_text(json.dumps(values, indent=4) + "\n", encoding="utf-8")
        os.replace(whole, file)

    def delete(self, delete_dependent_resources=False, no_wait=False):
        """Deletes the workspace, which must be empty; with `delete_dependent_resources` its
        services, images and models go first."""
        if delete_dependent_resources:
            self._delete_content()
        try:
            self._connection.delete(self._path(""))
        except WebserviceException as error:
            raise WorkspaceException(str(error), error) from error

    def _delete_content(self):
        from azureml.core.image import Image
        from azureml.core.model import Model
        from azureml.core.webservice import Webservice

        for kind in (Webservice, Image, Model):
            for found in kind.list(self):
                found.delete()

    def _path(self, below: str) -> str:
        return f"/workspaces/{part(self.name)}{below}"

    def _resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    def _target_of(self, compute_type: str, compute_name: str | None = None) -> str:
        """Where a deployment for that v1 compute type goes: as config.json's `targets` say by the
        name of the compute target or the type; else to a process beside a service on this machine,
        and to what the type names where the service is elsewhere."""
        targets = self._config.targets if self._config else {}
        for name in (compute_name, compute_type, compute_type.lower()):
            if name and name in targets:
                return targets[name]
        if self._connection.http.is_here() or compute_type == "LOCAL":
            return "process"
        return {"ACI": "aci", "AKS": "kubernetes"}[compute_type]

    def __repr__(self):
        return (
            f"Workspace.create(name='{self.name}', subscription_id='{self.subscription_id}', "
            f"resource_group='{self.resource_group}')"
        )


def _config_for(name):
    """The nearest workspace file, if it is about this workspace or about no special service."""
    config = settings.find_config(Path.cwd())
    if config is None or config.workspace_name == name or config.endpoint:
        return config
    return None


def _workspace_error(error: WebserviceException, name: str) -> ProjectSystemException:
    if error.status_code != 404:
        return ProjectSystemException(str(error), error)
    lines = str(error).split("\n")
    kept = [line for line in lines if not line.startswith("Fix: ")]
    return WorkspaceException("\n".join([*kept, "Fix: " + _CREATE_HINT.format(name=name)]), error)
