// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "deployer/deployer.h"

namespace slipway::deployer {

/// A service as the tests of target kubernetes deploy it.
inline DeploySpec KubeTestSpec(std::int64_t revision = 1) {
  DeploySpec spec{.workspace = "team lab",
                  .service = "digits",
                  .revision = revision,
                  .image_reference = "digits:" + std::to_string(revision),
                  .image_digest = "sha256:" + std::string(64, static_cast<char>('0' + revision)),
                  .environment = {"AZUREML_MODEL_DIR=/var/azureml-app/azureml-models"}};
  spec.image_location = "registry.example.com/team/digits@" + spec.image_digest;
  spec.deployment = DefaultDeployment("kubernetes");
  spec.deployment.autoscale_enabled = false;
  spec.deployment.replicas = 1;
  spec.deployment.auth_enabled = false;
  return spec;
}

/// The same with everything that a cluster can be asked for.
inline DeploySpec KubeFullSpec() {
  DeploySpec spec = KubeTestSpec();
  Deployment& wanted = spec.deployment;
  wanted.autoscale_enabled = true;
  wanted.replicas = 0;
  wanted.autoscale_min_replicas = 2;
  wanted.autoscale_max_replicas = 7;
  wanted.cpu_cores = 0.5;
  wanted.memory_gb = 1.5;
  wanted.cpu_cores_limit = 2;
  wanted.memory_gb_limit = 3;
  wanted.gpu_cores = 1;
  wanted.auth_enabled = true;
  wanted.primary_key = "first";
  wanted.secondary_key = "second";
  wanted.image_registry = {
      .address = "registry.example.com", .username = "robot", .password = "pass"};
  wanted.ssl_enabled = true;
  wanted.ssl_certificate = "CERTIFICATE";
  wanted.ssl_key = "KEY";
  wanted.kubernetes.ingress_host = "digits.example.com";
  wanted.kubernetes.ingress_class = "nginx";
  wanted.kubernetes.service_type = "LoadBalancer";
  return spec;
}

}  // namespace slipway::deployer
