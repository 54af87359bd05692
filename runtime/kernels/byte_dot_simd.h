// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Products of bytes by the instructions that add four of them to a sum of 32 bits (AVX-512 VNNI),
/// which do not saturate on the way: exact, wrapping around at 32 bits.
namespace slipway::runtime {

/// Whether this machine has them, and the vectors of this process may be so wide.
bool HasByteDot();

/// Columns of a panel: a multiple of kByteDotPad up to kByteDotPanel.
inline constexpr std::int64_t kByteDotPad = 16;
inline constexpr std::int64_t kByteDotPanel = 64;
/// So few columns are better computed one by one.
inline constexpr std::int64_t kByteDotFew = 4;

/// What becomes of sums: `added` to each, and where there are scales that times scale, rounded half
/// to even and `zero` more, as the nearest byte. Parameters are of rows where the first operand has
/// signs, else of columns, and then there are some for all of a padded panel.
struct ByteDotSums {
  const std::int32_t* added = nullptr;  ///< 32 bits wrap around
  const double* scales = nullptr;       ///< null: sums stay numbers of 32 bits
  const float* near = nullptr;          ///< the scales, rounded
  std::int32_t zero = 0, least = 0, most = 0;
  void* y = nullptr;
  std::int64_t y_stride = 0;  ///< elements from row to row
};

/// Whether RunByteDot computes with that scale what QuantizeOne gives in double.
inline bool IsDotScale(double scale) { return scale >= 0x1p-60 && scale <= 0x1p60; }

/// y [rows, columns] = a [rows, 4 * quads] times b [quads, columns, 4], four rows of a matrix side
/// by side. Of a and b one has signs and the other none.
struct ByteDot {
  const std::uint8_t* a = nullptr;
  std::int64_t a_stride = 0;  ///< bytes from row to row
  bool a_signed = false;
  const std::uint8_t* b = nullptr;
  std::int64_t b_stride = 0;  ///< bytes from quad to quad; it may be read up to a padded width
  /// Up to kByteDotFew columns lie one after another: b [columns, 4 * quads], b_stride from column
  /// to column. Only where `a` has signs.
  bool few = false;
  std::int64_t rows = 0, quads = 0, columns = 0;
  ByteDotSums to = {};
};
/// Only where HasByteDot(). Thread-safe; allocates nothing.
void RunByteDot(const ByteDot& dot);

}  // namespace slipway::runtime
