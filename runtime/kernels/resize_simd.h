// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

/// Weighted sums of float32 with the widest vectors this machine has. A weight of 0 leaves its
/// number out, whatever that is. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// y[i] = the sum of weights[t] * rows[t][i], for `count` numbers.
void BlendRows(std::span<const float* const> rows, std::span<const float> weights,
               std::int64_t count, float* y);

/// y[i] = the sum over taps t of weights[t * count + i] * x[indices[t * count + i]].
struct ColumnBlend {
  const std::int32_t* indices;
  const float* weights;
  std::int64_t taps, count;
};
void BlendColumns(const ColumnBlend& blend, const float* x, float* y);

}  // namespace slipway::runtime
