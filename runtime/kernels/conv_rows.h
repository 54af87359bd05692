// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

namespace slipway::runtime {

/// Convolutions with few positions of output, in float32 and one group: what the windows cover
/// lies in rows, which are multiplied by the weights, read once from beginning to end.
std::string DeclineConvRows(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvRows(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
