// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/autoscaler.h"

#include <nlohmann/json.hpp>

#include "deployer/kubernetes/json.h"

namespace slipway::deployer {
namespace {

/// New pods have no metrics for the first minutes.
constexpr std::chrono::minutes kMetricsGrace{5};

}  // namespace

std::optional<KubeTrouble> AutoscalerTrouble(const Json& autoscaler, TimePoint now) {
  for (const Json& condition : KubeList(KubeAt(autoscaler, {"status", "conditions"}))) {
    const std::string type = KubeText(condition, "type");
    if (KubeText(condition, "status") != "False") continue;
    if (type != "ScalingActive" && type != "AbleToScale") continue;
    // Scaled to no replicas by hand: that is said elsewhere.
    if (KubeText(condition, "reason") == "ScalingDisabled") continue;
    const std::string message = KubeLine(KubeText(condition, "message"));
    const bool has_no_api =
        message.find("could not find the requested resource") != std::string::npos;
    const auto since = ParseTime(KubeText(condition, "lastTransitionTime"));
    const bool is_young = !since || now - *since < kMetricsGrace;
    if (is_young && !has_no_api) continue;
    return KubeTrouble{.cause = type == "ScalingActive" ? "MetricsMissing" : "AutoscalerStuck",
                       .detail = "it answers, and its autoscaler does not scale it: " + message};
  }
  return std::nullopt;
}

}  // namespace slipway::deployer
