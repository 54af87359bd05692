// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Products of small integers with the widest vectors this machine has, exact on all of them.
namespace slipway::runtime {

/// Columns of a packed matrix are a multiple of this.
inline constexpr std::int64_t kIntegerPad = 16;

/// `y` [rows, columns] = `a` [rows, 2 * pairs] times `b`, which lies as [pairs, columns, 2]: the
/// numbers of two rows side by side. Rows of `a` and `y` lie without gaps. Sums wrap around at 32
/// bits. Thread-safe.
struct IntegerProduct {
  const std::int16_t *a, *b;
  std::int32_t* y;
  std::int64_t rows, pairs, columns;
};
void Multiply(const IntegerProduct& product);

}  // namespace slipway::runtime
