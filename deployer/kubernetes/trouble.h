// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace slipway::deployer {

/// Why a pod does not answer.
struct KubeTrouble {
  std::string cause;           ///< code of the table of causes
  std::string detail;          ///< one line for people
  bool final = false;          ///< waiting longer will not help
  std::string container = {};  ///< whose output may tell more
  bool previous = false;       ///< of its run before the restart
};

/// Nothing for a pod that is only starting. Pure. Source: kubernetes.io "Pod Lifecycle", and the
/// reasons that kubelets give.
std::optional<KubeTrouble> PodTrouble(const Json& pod, TimePoint now);

/// Whether the cause is that no node takes the pod, which a new node may end.
bool IsAboutNodes(std::string_view cause);

/// How often the pod's containers were started again.
std::int64_t KubeRestarts(const Json& pod);

}  // namespace slipway::deployer
