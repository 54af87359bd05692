// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/kernels/pool_rows_simd.h"
#include "runtime/kernels/window.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// Whether the pool averages, and does not look for the largest.
inline bool IsAveragePool(const NodeFacts& node) { return node.op->type == "AveragePool"; }

/// What the windows along dimension `d` cover; `counts_pads`: padding counts for averages.
std::vector<PoolSpan> PoolSpansOf(const Window& window, std::size_t d, bool counts_pads);

/// In vectors of our own, row by row: MaxPool and AveragePool over one to three dimensions.
std::string DeclinePoolRows(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PreparePoolRows(const NodeFacts& node, DeviceContext& device);

/// Of those what goes along one dimension or two, by windows of two columns next to each other.
std::string DeclinePoolPairs(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PreparePoolPairs(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
