// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

namespace slipway::runtime {

/// oneDNN's local response normalisation for float32 and odd sizes.
std::string DeclineLrnDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareLrnDnnl(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
