# SPDX-License-Identifier: Apache-2.0
"""From deployment configurations to requests for services."""

from __future__ import annotations

import re

from azureml.core._slipway.notices import say_once
from azureml.exceptions import UserErrorException, WebserviceException

_NAME_RULE = re.compile(r"[a-z][a-z0-9-]{2,31}")
_SCALING = (
    "autoscale_enabled",
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)
# A process or a container on this machine has no use for these. TLS and encryption are not among
# them: who asks for those and cannot have them is refused by the service.
_CLOUD_ONLY = ("dns_name_label", "location", "namespace", "compute_target_name")
_NOWHERE = {
    "enable_app_insights": "read /metrics of the service",
    "collect_model_data": "nothing is collected",
}
_KEPT_TYPE = "slipway.compute_type"


def check_name(name) -> None:
    """The rule for names of services."""
    if not isinstance(name, str) or not _NAME_RULE.fullmatch(name):
        raise WebserviceException(
            f'service name "{name}" must have 3 to 32 lower-case letters, digits and dashes, and '
            "begin with a letter",
            code="Service.Name",
        )


def check_request(name, config) -> None:
    """What can be known to be wrong before anything is registered or built."""
    check_name(name)
    if config is not None and not hasattr(config, "_settings"):
        raise UserErrorException(
            f"{config!r} is no deployment configuration: make one with "
            "AciWebservice.deploy_configuration()"
        )


def body_for(workspace, name, config, compute_target, overwrite: bool) -> dict:
    """A request for a service, without its image. Says where the service will run."""
    check_request(name, config)
    if config is None:
        config = _usual_config(compute_target)
    compute_type = config._compute_type
    cluster = _cluster_name(compute_target) or config._settings.get("compute_target_name")
    if compute_type == "AKS" and compute_target is None and cluster is None:
        say_once("no deployment_target is given for AKS; the workspace's own cluster is used")
    target = workspace._target_of(compute_type, cluster)
    if target != {"ACI": "aci", "AKS": "kubernetes", "LOCAL": "process"}[compute_type]:
        print(f'Deploying "{name}" as {compute_type} to target {target} of this workspace')
    body = {
        "name": name,
        "target": target,
        "tags": config._tags,
        "properties": {**config._properties, _KEPT_TYPE: compute_type},
        "description": config._description,
        "overwrite": bool(overwrite),
    }
    settings = settings_for(config._settings, target, cluster, compute_target)
    port = settings.pop("port", None)
    if port:
        body["port"] = port
    if target == "aci":
        ids = {
            "subscription_id": workspace.subscription_id,
            "resource_group": workspace.resource_group,
        }
        settings["aci"] = {key: value for key, value in ids.items() if value}
    if settings:
        body["deployment"] = settings
    return body


def settings_for(settings: dict, target: str, cluster=None, compute_target=None) -> dict:
    """The settings that mean something on a target; says once what is left out."""
    kept = dict(settings)
    for key, instead in _NOWHERE.items():
        if kept.pop(key, None):
            say_once(f"{key} is accepted and ignored: {instead}")
    left_out = []
    if target != "kubernetes":
        left_out += [key for key in (*_SCALING, "num_replicas") if kept.pop(key, None)]
    if target in ("process", "docker"):
        left_out += [key for key in _CLOUD_ONLY if kept.pop(key, None)]
    if target == "kubernetes" and cluster:
        context = getattr(compute_target, "_context", None)
        if context:
            kept["kubernetes"] = {"context": context}
    left_out = [key for key in left_out if key != "compute_target_name"]
    if left_out:
        say_once(f"on target {target} these settings are ignored: {', '.join(left_out)}")
    return kept


def _usual_config(compute_target):
    from azureml.core.webservice import AciWebservice, AksWebservice

    kind = AciWebservice if compute_target is None else AksWebservice
    return kind.deploy_configuration()


def _cluster_name(compute_target):
    if compute_target is None or isinstance(compute_target, str):
        return compute_target
    name = getattr(compute_target, "name", None)
    if not isinstance(name, str):
        raise UserErrorException(f"{compute_target!r} is no compute target")
    return name


def start_service(workspace, body: dict):
    """Asks for a service and gives it; see `wait_for_deployment`."""
    from azureml.core.webservice.webservice import Webservice

    print("Creating service")
    operation = workspace._connection.post(workspace._path("/services"), body)
    record = workspace._connection.get(operation["resource"])
    return Webservice._of(workspace, record, operation["id"])


def deploy_models(
    workspace, name, models, inference_config, deployment_config, deployment_target, overwrite
):
    """`Model.deploy`: an image where there is a script or more than one model, then the service."""
    from azureml.core._slipway import models as model_calls
    from azureml.core._slipway import scripts
    from azureml.core.image.image import start_image

    found = model_calls.resolve(workspace, models)
    body = body_for(workspace, name, deployment_config, deployment_target, overwrite)
    refuse_taken(workspace, name, overwrite)
    if inference_config is None and len(found) == 1:
        return start_service(workspace, {**body, "model": found[0].id})
    if inference_config is None and not found:
        raise UserErrorException("there is nothing to deploy: neither models nor a script")
    fields = scripts.inference_fields(workspace, inference_config) if inference_config else {}
    image = start_image(workspace, name, [model.id for model in found], fields)
    image.wait_for_creation()
    service = start_service(workspace, {**body, "image": image.id})
    if inference_config is not None:
        service._sources = (image.model_ids, inference_config)
    return service


def refuse_taken(workspace, name, overwrite: bool) -> None:
    """Before an image is built for nothing."""
    from azureml.core.webservice.webservice import find_record

    if overwrite or find_record(workspace, name) is None:
        return
    raise WebserviceException(
        f'a service "{name}" is there already\n'
        "Fix: pass overwrite=True, delete it first, or choose another name",
        status_code=409,
        code="Service.AlreadyExists",
    )
