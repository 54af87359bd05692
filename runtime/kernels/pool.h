// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "runtime/op.h"

namespace slipway::runtime {

/// Whether the pool averages, and does not look for the largest.
inline bool IsAveragePool(const NodeFacts& node) { return node.op->type == "AveragePool"; }

/// oneDNN's pools for float32: MaxPool and AveragePool.
std::string DeclinePoolDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PreparePoolDnnl(const NodeFacts& node, DeviceContext& device);

/// In vectors of our own: what oneDNN pools can be, along one dimension or two, by windows of two
/// columns next to each other.
std::string DeclinePoolPairs(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PreparePoolPairs(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
