// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace slipway::runtime {

/// A tap along a line of a transposed convolution's window: position j of the input's line comes
/// to j * stride + shift of the output's, for j in [begin, end).
struct LineTap {
  std::int64_t shift = 0, begin = 0, end = 0;
};

/// What the taps add to a line of the output: y[j * stride + taps[b].shift] += x[b * x_stride + j],
/// for positions j in [begin, end) that the tap has.
struct TapLine {
  const float* x = nullptr;
  float* y = nullptr;
  std::int64_t x_stride = 0, stride = 0;
  std::span<const LineTap> taps;
  bool in_pairs = false;  ///< stride 2, and each tap's shift is one more than that before
  std::int64_t begin = 0, end = 0;
};

/// With the widest vectors this machine has where the stride is 1 or taps are in pairs.
/// Thread-safe; allocates nothing.
void AddTaps(const TapLine& line);

}  // namespace slipway::runtime
