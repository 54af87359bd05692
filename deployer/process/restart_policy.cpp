// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/restart_policy.h"

#include <algorithm>

namespace slipway::deployer {

RestartPolicy::Duration RestartPolicy::Exited(Duration ran) {
  constexpr int kDoublings = 20;
  if (ran >= kWell) quick_exits_ = 0;
  const Duration pause = kFirst * (1 << std::min(quick_exits_, kDoublings));
  ++quick_exits_;
  return std::min(pause, kLongest);
}

}  // namespace slipway::deployer
