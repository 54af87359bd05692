// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Products of a few rows and a matrix in float32, with the widest vectors this machine has: the
/// matrix lies as it is read, once from beginning to end. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Widths of matrices are multiples of this.
inline constexpr std::int64_t kRowPad = 16;
/// Matrices lie in panels of so many columns, row by row, one panel after the other; the last one
/// may have fewer.
inline constexpr std::int64_t kPanelColumns = 64;

/// Rows of `y`, each of `width` numbers, += rows of `x` times the matrix `w` [depth, width] in
/// panels. Rows of `x` and `y` lie `..._stride` numbers apart.
struct RowProduct {
  const float *x, *w;
  float* y;
  std::int64_t rows, depth, width;
  std::int64_t x_stride, y_stride;
};
void AddRowProduct(const RowProduct& product);

/// Where the panel of a matrix of `width` columns begins that has column `column`, and how far
/// apart its rows lie. Element [k, column] is at `begin * depth + k * stride + column - begin`.
struct Panel {
  std::int64_t begin, stride;
};
constexpr Panel PanelOf(std::int64_t column, std::int64_t width) {
  const std::int64_t begin = column / kPanelColumns * kPanelColumns;
  return {.begin = begin, .stride = width - begin < kPanelColumns ? width - begin : kPanelColumns};
}

}  // namespace slipway::runtime
