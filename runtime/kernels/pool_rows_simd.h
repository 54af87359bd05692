// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/bounds.h"

/// The inner loops of pools, in float32, with the vectors this machine has: windows over images of
/// up to three dimensions, whose positions are numbers or blocks of them. Thread-safe.
namespace slipway::runtime {

/// What a window covers along one dimension.
struct PoolSpan {
  std::int64_t first = 0, size = 0;  ///< positions of the input; at least one
  float count = 0;                   ///< what an average is taken over, padding where it counts
};

/// Windows along one dimension.
struct PoolSide {
  std::span<const PoolSpan> spans = {};  ///< per position of the output
  std::int64_t input = 0, kernel = 0, stride = 0, dilation = 0, pad = 0;

  /// From the beginning of the padding to the last position that a window covers.
  std::int64_t reach() const {
    const auto windows = static_cast<std::int64_t>(spans.size());
    return (windows - 1) * stride + (kernel - 1) * dilation + 1;
  }
};

/// Pools over [depth, height, width] of `block` numbers each.
struct PoolRows {
  PoolSide depth = {}, height = {}, width = {};
  std::int64_t block = 1;
  /// Of averages: per number of a row of the output, what it is taken over along the row.
  std::span<const float> counts = {};

  bool average() const { return !counts.empty(); }
  /// Numbers of a line that windows go along.
  std::int64_t line() const { return width.reach() * block; }
};

/// Working memory for so many rows, as it is to be at first; any number of rows may be next.
CountedVector<float> PoolRoom(const PoolRows& pool, std::int64_t rows);
/// Rows [begin, end) of the output, [depth, height] counted through, of the plane `x`; `y` is where
/// the first of them lies. The largest number is the window's first where that is none, as in the
/// standard's evaluator.
void RunPoolRows(const PoolRows& pool, std::int64_t begin, std::int64_t end, const float* x,
                 CountedVector<float>& room, float* y);

}  // namespace slipway::runtime
