// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// How a Deployment is, and which of its pods to look at for why.
struct KubeView {
  Observed observed;
  std::string pod = {};        ///< its name; empty: none
  std::string container = {};  ///< whose output tells why; empty: none has run
  bool previous = false;       ///< the run before the last restart
};

/// Whether the newest revision is there, whole and available, and nothing else runs: then its pods
/// need not be looked at.
bool KubeIsHealthy(const Json& deployment);

/// From the Deployment and its pods (an array). A failure of the newest revision's pods is told
/// before one of the older ones. Pure.
KubeView LookAtDeployment(const Json& deployment, const Json& pods, TimePoint now);

/// Adds what the events (an array) of the pod looked at say: probes that fail, volumes and
/// sandboxes that cannot be made, an autoscaler that brings a node. Pure.
void AddEvents(const Json& events, KubeView& view);

}  // namespace slipway::deployer
