// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/conv_simd.h"

/// The inner loops of convolutions whose rows of output are short, on blocks of 16 channels: what
/// they wait for is their weights, which they ask for before they need them. Thread-safe; they
/// allocate nothing.
namespace slipway::runtime {

inline constexpr std::int64_t kNarrowBlock = 16;
/// Rows of output that they take.
inline constexpr std::int64_t kLeastNarrow = 4, kMostNarrow = 8;
/// Blocks of output that are computed together, for rows so wide: their weights lie together.
constexpr std::int64_t NarrowGroup(std::int64_t width) { return width <= 6 ? 4 : 3; }

struct NarrowConv {
  /// Blocks of input channels, each `in_height` rows of `in_width` positions, padding included;
  /// images lie `x_image` numbers apart.
  const float* x = nullptr;
  std::int64_t x_image = 0;
  std::int64_t in_blocks = 0, in_height = 0, in_width = 0;
  /// Of one group of output blocks: for each channel of input and each tap its numbers, block by
  /// block.
  const float* w = nullptr;
  std::int64_t blocks = 0;  ///< of output, in the group: at most NarrowGroup
  std::int64_t more = 0;    ///< numbers after these weights that are needed next
  std::int64_t kernel_height = 0, kernel_width = 0, stride = 0;
  const float* bias = nullptr;  ///< of the group; null: 0
  const float* z = nullptr;     ///< added, as y lies; may be y; null: 0
  float* y = nullptr;           ///< block by block; images `y_image` numbers apart
  std::int64_t y_image = 0;
  std::int64_t height = 0, width = 0;
  /// Of all the images' rows, one image after the other.
  std::int64_t first_row = 0, last_row = 0;
  ConvBounds bounds = {};
};
void RunNarrow(const NarrowConv& conv);

}  // namespace slipway::runtime
