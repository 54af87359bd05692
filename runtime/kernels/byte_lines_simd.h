// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/byte_dot_simd.h"

/// Depthwise convolutions of bytes by the instructions of byte_dot_simd.h: sums over windows of a
/// plane that has its padding around it.
namespace slipway::runtime {

/// Bytes without signs [height, width] as they lie, and with padding: rows of `pitch` bytes, those
/// of the image `top` rows and `left` bytes behind the first, `fill` around them.
struct BytePlane {
  const std::uint8_t* from = nullptr;
  std::int64_t height = 0, width = 0;
  std::uint8_t flip = 0;  ///< what bytes are changed by
  std::uint8_t fill = 0;
  std::uint8_t* to = nullptr;
  std::int64_t top = 0, left = 0, rows = 0, pitch = 0;
};
/// So many bytes behind the last row are written, and read.
inline constexpr std::int64_t kBehindPlane = 256;
void PadPlane(const BytePlane& plane);

/// Outputs y[i * y_stride + j] of a padded plane, `added` and scale those of its channel.
struct ByteWindows {
  const std::uint8_t* x = nullptr;
  std::int64_t pitch = 0;
  const std::int32_t* taps = nullptr;  ///< [kernel_rows, quads], four signed bytes each
  std::int64_t kernel_rows = 0, quads = 0, stride = 1;  ///< 1 or 2
  std::int64_t height = 0, width = 0;
  std::uint8_t* room = nullptr;  ///< of LineRoom() bytes
  ByteDotSums to = {};           ///< with scales
};
std::int64_t LineRoom(std::int64_t height, std::int64_t pitch);
/// Only where HasByteDot(). Thread-safe; allocates nothing.
void RunByteWindows(const ByteWindows& windows);

}  // namespace slipway::runtime
