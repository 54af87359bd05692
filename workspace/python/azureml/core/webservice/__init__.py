# SPDX-License-Identifier: Apache-2.0
"""Services: images that answer requests."""

from azureml.core.webservice.aci import AciServiceDeploymentConfiguration, AciWebservice
from azureml.core.webservice.aks import (
    AksEndpoint,
    AksServiceDeploymentConfiguration,
    AksWebservice,
)
from azureml.core.webservice.local import LocalWebservice, LocalWebserviceDeploymentConfiguration
from azureml.core.webservice.webservice import Webservice
from azureml.exceptions import WebserviceException

__all__ = [
    "AciServiceDeploymentConfiguration",
    "AciWebservice",
    "AksEndpoint",
    "AksServiceDeploymentConfiguration",
    "AksWebservice",
    "LocalWebservice",
    "LocalWebserviceDeploymentConfiguration",
    "Webservice",
    "WebserviceException",
]
