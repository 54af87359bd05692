# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes cluster."""

from __future__ import annotations

from azureml.core._slipway.notices import ignored
from azureml.core.compute.compute import ComputeTarget


class AksProvisioningConfiguration:
    """What a cluster would be made of; kept, and not used."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def enable_ssl(self, *_, **values):
        ignored("AksCompute", "the cluster's own ingress has the certificate", **values)


class AksAttachConfiguration:
    """Which cluster is meant: `cluster_name` is its context in the kubeconfig."""

    def __init__(self, resource_group=None, cluster_name=None, resource_id=None):
        self.resource_group = resource_group
        self.cluster_name = cluster_name or (resource_id or "").rpartition("/")[2] or None

    def enable_ssl(self, *_, **values):
        ignored("AksCompute", "the cluster's own ingress has the certificate", **values)


class AksCompute(ComputeTarget):
    """A cluster that is there already, under the name that the notebook gives it."""

    class ClusterPurpose:
        """What a cluster would be made for."""

        FAST_PROD = "FastProd"
        DEV_TEST = "DevTest"

    @staticmethod
    def provisioning_configuration(
        agent_count=None,
        vm_size=None,
        ssl_cname=None,
        ssl_cert_pem_file=None,
        ssl_key_pem_file=None,
        location=None,
        **others,
    ):
        """Kept, and not used: a Slipway workspace makes no clusters."""
        return AksProvisioningConfiguration(
            agent_count=agent_count, vm_size=vm_size, location=location, **others
        )

    @staticmethod
    def attach_configuration(resource_group=None, cluster_name=None, resource_id=None, **_):
        return AksAttachConfiguration(resource_group, cluster_name, resource_id)

    def get_credentials(self):
        from azureml.core._slipway.absent import refuse

        raise refuse("AksCompute.get_credentials", "the workspace service has the kubeconfig")
