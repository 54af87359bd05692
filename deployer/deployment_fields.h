// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "deployer/deployment.h"

namespace slipway::deployer {

using TextMap = std::map<std::string, std::string>;

/// A key of a deployment object and the member it fills.
template <class S>
struct Field {
  std::string_view name;
  std::string_view v1;  ///< path in `deploymentconfig.json`: `autoScaler.minReplicas`; may be empty
  std::variant<double S::*, std::int64_t S::*, bool S::*, std::string S::*, TextMap S::*> member;
  double min = 0, max = 0;  ///< of numbers, both included
  bool secret = false;
};

std::span<const Field<Deployment>> DeploymentFields();
std::span<const Field<DockerSettings>> DockerFields();
std::span<const Field<KubernetesSettings>> KubernetesFields();
std::span<const Field<AciSettings>> AciFields();
std::span<const Field<ImageRegistry>> ImageRegistryFields();

}  // namespace slipway::deployer
