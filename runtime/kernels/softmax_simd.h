// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/softmax.h"

/// Softmax, or its logarithm, of float32 with the widest vectors this machine has. A row in which
/// something is no number, or whose largest element is infinite, has no numbers. Thread-safe; they
/// allocate nothing.
namespace slipway::runtime {

inline constexpr std::int64_t kSoftmaxRows = 16;  ///< done together

/// Elements of a row that are worth doing by itself.
inline constexpr std::int64_t kLeastInARow = 16;
/// `rows` rows of at least kLeastInARow elements, [rows, count].
void SoftmaxOfLongRows(const float* x, std::int64_t rows, std::int64_t count, bool log, float* y);

/// Rows [first, first + rows) of x, at most kSoftmaxRows. Row number r of the shape begins at
/// r / inner * count * inner + r % inner; its elements are `inner` apart.
struct SoftmaxBlock {
  SoftmaxShape shape;
  bool log = false;
  std::int64_t first = 0, rows = 0;
};
/// `room`: for kSoftmaxRows rows.
void SoftmaxOfRows(const SoftmaxBlock& block, const float* x, float* y, float* room);

}  // namespace slipway::runtime
