// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/json.h"
#include "deployer/kubernetes/trouble.h"

namespace slipway::deployer {

/// Why an autoscaler does not scale: the service answers, with as many replicas as it has. Nothing
/// for one that works, or that has only begun. Pure. Source: kubernetes.io, "Horizontal Pod
/// Autoscaling", status conditions.
std::optional<KubeTrouble> AutoscalerTrouble(const Json& autoscaler, TimePoint now);

}  // namespace slipway::deployer
