# SPDX-License-Identifier: Apache-2.0
"""A service on the machine of the workspace service."""

from __future__ import annotations

from azureml.core._slipway import notices
from azureml.core.webservice.configuration import WebserviceDeploymentConfiguration, bad
from azureml.core.webservice.webservice import Webservice

_PORT_MAX = 65535


class LocalWebserviceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """Made by `LocalWebservice.deploy_configuration`."""

    _compute_type = "LOCAL"

    def _check(self):
        super()._check()
        port = self._settings.get("port")
        if port is not None and (not isinstance(port, int) or not 1 <= port <= _PORT_MAX):
            raise bad(f"port is {port!r}, must be 1 to {_PORT_MAX}")


class LocalWebservice(Webservice):
    """A process, or a container where config.json's `targets` say so of LOCAL."""

    _webservice_type = "LOCAL"

    @staticmethod
    def deploy_configuration(port=None):
        """Without a port one that is free is taken."""
        return LocalWebserviceDeploymentConfiguration({"port": port})

    def reload(self, wait=False):
        """Takes the script and what lies beside it as they are now, where this object deployed
        them; else starts the same image anew. The service answers with them when this returns."""
        image = self._build(*self._sources) if self._sources else self._record["image"]
        self._update({}, image, None, None, None, None, None)
        self.wait_for_deployment()

    def update(
        self,
        models=None,
        image=None,
        inference_config=None,
        deployment_config=None,
        wait=False,
        tags=None,
        properties=None,
        description=None,
        **further,
    ):
        """None leaves a thing as it is."""
        notices.further(LocalWebservice.update, further)
        settings = deployment_config._settings if deployment_config is not None else {}
        self._update(settings, image, tags, properties, description, models, inference_config)
        if wait:
            self.wait_for_deployment()

    def delete(self, delete_cache=True, delete_image=False):
        """Stops the service; with `delete_image` its image goes too."""
        image = self._record.get("image")
        super().delete()
        if delete_image and image:
            from azureml.core.image import Image

            Image(self.workspace, id=image).delete()

    @property
    def port(self):
        """Where it listens; None while it does not."""
        from urllib.parse import urlsplit

        return urlsplit(self.scoring_uri).port if self.scoring_uri else None
