# SPDX-License-Identifier: Apache-2.0
"""Names for the places that services go to.

A Slipway workspace deploys to targets (process, docker, aci, kubernetes) that its service is set up
for; it makes no clusters. A compute target is the name that a notebook gives to one: those that
`targets` in config.json lists are there, and those that this process created or attached.
"""

from __future__ import annotations

from azureml.core._slipway import settings
from azureml.core._slipway.notices import say_once
from azureml.exceptions import ComputeTargetException


class ComputeTarget:
    """The compute target of that name; ComputeTargetException if there is none."""

    type = "AKS"
    provisioning_state = "Succeeded"
    provisioning_errors = None
    cluster_resource_id = None
    description = ""
    location = "local"

    def __new__(cls, workspace, name):
        found = known_targets(workspace).get(name)
        if found is None:
            raise ComputeTargetException(
                f"ComputeTargetNotFound: Compute Target with name {name} not found in provided "
                'workspace\nFix: create or attach it, or name it in "targets" of config.json'
            )
        return found

    @classmethod
    def _of(cls, workspace, name, context=None):
        from azureml.core.compute.aks import AksCompute

        target = object.__new__(AksCompute)
        target.workspace = workspace
        target.name = name
        target._context = context
        return target

    @staticmethod
    def create(workspace, name, provisioning_configuration):
        """Makes no cluster: gives the name to the cluster that the workspace deploys to."""
        say_once(
            f"ComputeTarget.create makes no cluster: services for it go to target "
            f"{workspace._target_of('AKS', name)} of this workspace"
        )
        return _remember(workspace, name, None)

    @staticmethod
    def attach(workspace, name, attach_configuration):
        """Gives the name to a cluster: its context in the kubeconfig of the workspace service."""
        return _remember(workspace, name, attach_configuration.cluster_name)

    @staticmethod
    def list(workspace):
        return list(known_targets(workspace).values())

    def wait_for_completion(self, show_output=False, is_delete_operation=False):
        """There is nothing to wait for."""
        if show_output:
            print(self.provisioning_state)

    def refresh_state(self):
        """There is nothing to refresh."""

    def get_status(self):
        return self.provisioning_state

    def delete(self):
        """Forgets the name."""
        self.workspace._known_targets.pop(self.name, None)

    detach = delete

    def serialize(self):
        return {
            "name": self.name,
            "computeType": self.type,
            "provisioningState": self.provisioning_state,
            "target": self.workspace._target_of("AKS", self.name),
        }

    def __repr__(self):
        return f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name})"


def known_targets(workspace) -> dict:
    """The compute targets by name."""
    config = workspace._config
    named = config.targets if config is not None else {}
    found = {
        name: ComputeTarget._of(workspace, name)
        for name in named
        if name.upper() not in settings.COMPUTE_TYPES
    }
    found.update(workspace._known_targets)
    return found


def _remember(workspace, name, context):
    target = ComputeTarget._of(workspace, name, context)
    workspace._known_targets[name] = target
    return target
