// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/kernels/pool_rows_simd.h"

/// The inner loops of pools over images that lie row by row, in float32, with the vectors this
/// machine has. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Windows at all positions of the output, [rows, columns]: of two columns, next to each other.
struct PoolPairs {
  std::span<const PoolSpan> rows = {}, columns = {};
  std::int64_t in_width = 0;
  std::int64_t inner = 0, inner_end = 0;  ///< the columns whose windows have both
  bool average = false;
};
/// One plane. The largest number is the first where that is none.
void RunPoolPairs(const PoolPairs& pool, const float* x, float* y);

}  // namespace slipway::runtime
