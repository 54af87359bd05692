# SPDX-License-Identifier: Apache-2.0
"""A service of one replica, for container instances."""

from __future__ import annotations

from azureml.core._slipway import notices
from azureml.core.webservice.configuration import (
    WebserviceDeploymentConfiguration,
    tls_settings,
)
from azureml.core.webservice.webservice import Webservice


class AciServiceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """Made by `AciWebservice.deploy_configuration`."""

    _compute_type = "ACI"


class AciWebservice(Webservice):
    """One replica with 0.1 cores, 0.5 GB and no keys where nothing else is said."""

    _webservice_type = "ACI"

    @staticmethod
    def deploy_configuration(
        cpu_cores=None,
        memory_gb=None,
        tags=None,
        properties=None,
        description=None,
        location=None,
        auth_enabled=None,
        ssl_enabled=None,
        enable_app_insights=None,
        ssl_cert_pem_file=None,
        ssl_key_pem_file=None,
        ssl_cname=None,
        dns_name_label=None,
        primary_key=None,
        secondary_key=None,
        collect_model_data=None,
        cmk_vault_base_url=None,
        cmk_key_name=None,
        cmk_key_version=None,
        **further,
    ):
        """None leaves a setting to the target."""
        notices.further(AciWebservice.deploy_configuration, further)
        settings = {
            "cpu_cores": cpu_cores,
            "memory_gb": memory_gb,
            "location": location,
            "auth_enabled": auth_enabled,
            "enable_app_insights": enable_app_insights,
            "dns_name_label": dns_name_label,
            "primary_key": primary_key,
            "secondary_key": secondary_key,
            "collect_model_data": collect_model_data,
            "cmk_vault_base_url": cmk_vault_base_url,
            "cmk_key_name": cmk_key_name,
            "cmk_key_version": cmk_key_version,
            **tls_settings(ssl_enabled, ssl_cert_pem_file, ssl_key_pem_file, ssl_cname),
        }
        return AciServiceDeploymentConfiguration(settings, tags, properties, description)

    def update(
        self,
        image=None,
        tags=None,
        properties=None,
        description=None,
        auth_enabled=None,
        ssl_enabled=None,
        ssl_cert_pem_file=None,
        ssl_key_pem_file=None,
        ssl_cname=None,
        enable_app_insights=None,
        models=None,
        inference_config=None,
        **further,
    ):
        """None leaves a thing as it is; tags are replaced, properties added."""
        notices.further(AciWebservice.update, further)
        settings = {
            "auth_enabled": auth_enabled,
            "enable_app_insights": enable_app_insights,
            **tls_settings(ssl_enabled, ssl_cert_pem_file, ssl_key_pem_file, ssl_cname),
        }
        self._update(settings, image, tags, properties, description, models, inference_config)
