# SPDX-License-Identifier: Apache-2.0
"""A service of one or more replicas, for Kubernetes."""

from __future__ import annotations

from azureml.core._slipway import notices
from azureml.core._slipway.absent import absent
from azureml.core.webservice.configuration import (
    WebserviceDeploymentConfiguration,
    bad,
    is_number,
    tls_settings,
)
from azureml.core.webservice.webservice import Webservice

_WHOLE_FROM = {
    "num_replicas": 1,
    "autoscale_min_replicas": 1,
    "autoscale_max_replicas": 1,
    "autoscale_refresh_seconds": 1,
    "scoring_timeout_ms": 1,
    "replica_max_concurrent_requests": 1,
    "max_request_wait_time": 0,
    "gpu_cores": 0,
    "period_seconds": 1,
    "initial_delay_seconds": 0,
    "timeout_seconds": 1,
    "success_threshold": 1,
    "failure_threshold": 1,
}
_AUTOSCALE = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)

# What both deploy_configuration and update take.
_SETTINGS = (
    "autoscale_enabled",
    *_AUTOSCALE,
    "collect_model_data",
    "auth_enabled",
    "token_auth_enabled",
    "cpu_cores",
    "memory_gb",
    "cpu_cores_limit",
    "memory_gb_limit",
    "gpu_cores",
    "enable_app_insights",
    "scoring_timeout_ms",
    "replica_max_concurrent_requests",
    "max_request_wait_time",
    "num_replicas",
    "period_seconds",
    "initial_delay_seconds",
    "timeout_seconds",
    "success_threshold",
    "failure_threshold",
    "namespace",
)


def _settings(arguments: dict, *more: str) -> dict:
    """Of a function's arguments those that are settings."""
    return {name: arguments[name] for name in (*_SETTINGS, *more)}


AksEndpoint = absent(
    "AksEndpoint", "deploy a second service, or divide traffic with slipway service traffic"
)


class AksServiceDeploymentConfiguration(WebserviceDeploymentConfiguration):
    """Made by `AksWebservice.deploy_configuration`."""

    _compute_type = "AKS"

    def _check(self):
        super()._check()
        settings = self._settings
        for name, least in _WHOLE_FROM.items():
            value = settings.get(name)
            if value is not None and (not is_number(value) or value != int(value) or value < least):
                raise bad(f"{name} is {value!r}, must be a whole number of at least {least}")
        share = settings.get("autoscale_target_utilization")
        if share is not None and not (is_number(share) and 1 <= share <= 100):
            raise bad(f"autoscale_target_utilization is {share!r}, must be 1 to 100")
        self._check_scaling()
        if settings.get("auth_enabled") and settings.get("token_auth_enabled"):
            raise bad("auth_enabled and token_auth_enabled exclude each other")

    def _check_scaling(self):
        settings = self._settings
        given = [name for name in _AUTOSCALE if name in settings]
        if settings.get("autoscale_enabled") and "num_replicas" in settings:
            raise bad("num_replicas and autoscale_enabled exclude each other")
        if given and settings.get("autoscale_enabled") is False:
            raise bad(f"{given[0]} is given, but autoscale_enabled is False")
        if given and "num_replicas" in settings:
            raise bad(f"{given[0]} and num_replicas exclude each other")
        if settings.get("autoscale_enabled") is False and "num_replicas" not in settings:
            raise bad("autoscale_enabled is False, so that num_replicas is needed")
        least = settings.get("autoscale_min_replicas", 1)
        most = settings.get("autoscale_max_replicas", 10)
        if least > most:
            raise bad(
                f"autoscale_min_replicas is {least}, more than autoscale_max_replicas, which is "
                f"{most}"
            )


class AksWebservice(Webservice):
    """Between 1 and 10 replicas with 0.1 cores, 0.5 GB and keys where nothing else is said."""

    _webservice_type = "AKS"

    @staticmethod
    def deploy_configuration(
        autoscale_enabled=None,
        autoscale_min_replicas=None,
        autoscale_max_replicas=None,
        autoscale_refresh_seconds=None,
        autoscale_target_utilization=None,
        collect_model_data=None,
        auth_enabled=None,
        cpu_cores=None,
        memory_gb=None,
        enable_app_insights=None,
        scoring_timeout_ms=None,
        replica_max_concurrent_requests=None,
        max_request_wait_time=None,
        num_replicas=None,
        primary_key=None,
        secondary_key=None,
        tags=None,
        properties=None,
        description=None,
        gpu_cores=None,
        period_seconds=None,
        initial_delay_seconds=None,
        timeout_seconds=None,
        success_threshold=None,
        failure_threshold=None,
        namespace=None,
        token_auth_enabled=None,
        compute_target_name=None,
        cpu_cores_limit=None,
        memory_gb_limit=None,
        **further,
    ):
        """None leaves a setting to the target; keys are asked for unless `auth_enabled` is
        False or tokens are wanted instead."""
        notices.further(AksWebservice.deploy_configuration, further)
        if auth_enabled is None:
            auth_enabled = not token_auth_enabled
        settings = _settings(locals(), "primary_key", "secondary_key", "compute_target_name")
        return AksServiceDeploymentConfiguration(settings, tags, properties, description)

    def update(
        self,
        image=None,
        autoscale_enabled=None,
        autoscale_min_replicas=None,
        autoscale_max_replicas=None,
        autoscale_refresh_seconds=None,
        autoscale_target_utilization=None,
        collect_model_data=None,
        auth_enabled=None,
        cpu_cores=None,
        memory_gb=None,
        enable_app_insights=None,
        scoring_timeout_ms=None,
        replica_max_concurrent_requests=None,
        max_request_wait_time=None,
        num_replicas=None,
        tags=None,
        properties=None,
        description=None,
        models=None,
        inference_config=None,
        gpu_cores=None,
        period_seconds=None,
        initial_delay_seconds=None,
        timeout_seconds=None,
        success_threshold=None,
        failure_threshold=None,
        namespace=None,
        token_auth_enabled=None,
        cpu_cores_limit=None,
        memory_gb_limit=None,
        ssl_enabled=None,
        ssl_cert_pem_file=None,
        ssl_key_pem_file=None,
        ssl_cname=None,
        **further,
    ):
        """None leaves a thing as it is; tags are replaced, properties added."""
        notices.further(AksWebservice.update, further)
        tls = tls_settings(ssl_enabled, ssl_cert_pem_file, ssl_key_pem_file, ssl_cname)
        settings = {**_settings(locals()), **tls}
        self._update(settings, image, tags, properties, description, models, inference_config)
