// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

inline constexpr std::string_view kAciApiVersion = "2023-05-01";
inline constexpr std::string_view kAciContainer = "scoring";

/// A container group of Azure Container Instances.
struct AciPlace {
  std::string subscription, resource_group, location, name;
};

/// `/subscriptions/…/containerGroups/NAME[more]?api-version=…[&query]`
std::string AciPath(const AciPlace& place, std::string_view more = "", std::string_view query = "");

/// Name of the group that runs this revision, where its DNS label is not the user's.
std::string AciGroupName(const DeploySpec& spec, std::string_view state);

/// The body of the group's PUT: one container on a public port, probes, resources, credentials of
/// the registry; keys are secure values. Pure. Source: Microsoft.ContainerInstance, 2023-05-01.
Json AciGroupBody(const DeploySpec& spec, const AciPlace& place);

/// Whether changing from one to the other needs nothing of Azure.
std::string AciSpecDigest(const DeploySpec& spec);

/// What a group's GET says, for a service.
struct AciState {
  std::string provisioning;  ///< `Pending`, `Creating`, `Succeeded`, `Failed`, …
  std::string container;     ///< `Waiting`, `Running`, `Terminated`; empty: not there yet
  std::string endpoint;      ///< `http://label.westeurope.azurecontainer.io`; empty: none yet
  std::int64_t restarts = 0;
  std::string cause, detail;  ///< where it is not well
  bool final = false;         ///< it will not get well by itself
};
AciState ReadAciGroup(const Json& group);

}  // namespace slipway::deployer
