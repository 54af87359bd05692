// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "deployer/deployer.h"

namespace slipway::deployer {

/// Text as the value of a label: at most 63 letters, digits, `-`, `_`, `.`, other characters
/// replaced. Source: kubernetes.io "Labels and Selectors".
std::string KubeLabelValue(std::string_view text);

/// Names of the Secrets that a pod uses; empty: none.
struct KubePodSecrets {
  std::string keys, pull;
};

/// The PodSpec of one replica: one container, unprivileged, that goes on serving for some seconds
/// after it was told to stop, so that no request is lost. Pure.
Json KubePodSpec(const DeploySpec& spec, const Json& selector, const KubePodSecrets& secrets);

}  // namespace slipway::deployer
