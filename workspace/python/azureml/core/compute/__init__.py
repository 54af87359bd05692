# SPDX-License-Identifier: Apache-2.0
"""Compute targets, as far as deploying to a Kubernetes cluster needs them."""

from azureml.core.compute.aks import AksCompute
from azureml.core.compute.compute import ComputeTarget, known_targets
from azureml.core._slipway.absent import absent
from azureml.exceptions import ComputeTargetException

AmlCompute = absent(
    "AmlCompute", "train where you like, and register the model with Model.register"
)
RemoteCompute = absent("RemoteCompute", "train there yourself, and register with Model.register")
ComputeInstance = absent("ComputeInstance", "run the notebook where you like")

__all__ = [
    "AksCompute",
    "AmlCompute",
    "ComputeInstance",
    "ComputeTarget",
    "ComputeTargetException",
    "RemoteCompute",
    "known_targets",
]
