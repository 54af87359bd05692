// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/op.h"

namespace slipway::runtime {

/// RNN, GRU and LSTM in float32 with their usual activations: the input's products for many steps
/// at once, the state's in vectors over all gates, on weights that are laid out for it.
std::string DeclineRecurrentPacked(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareRecurrentPacked(const NodeFacts& node,
                                                           DeviceContext& device);

}  // namespace slipway::runtime
