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

/// y [rows, width] = a [rows, 4 * quads] times b [quads, width, 4], four rows of a matrix side by
/// side. Of a and b one has signs and the other none.
struct ByteDot {
  const std::uint8_t* a = nullptr;
  std::int64_t a_stride = 0;  ///< bytes from row to row
  bool a_signed = false;
  const std::uint8_t* b = nullptr;
  std::int64_t b_stride = 0;  ///< bytes from quad to quad
  std::int64_t rows = 0, quads = 0, width = 0;
  std::int32_t* y = nullptr;
  std::int64_t y_stride = 0;  ///< numbers from row to row
};
/// Only where HasByteDot(). Thread-safe; allocates nothing.
void RunByteDot(const ByteDot& dot);

}  // namespace slipway::runtime
