// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/op.h"

/// LayerNormalization and its like over rows of float32 that lie one after the other.
namespace slipway::runtime {

struct LayerRows {
  std::int64_t rows = 0, width = 0;
  const float* x = nullptr;
  const float* skip = nullptr;                     ///< added; null: nothing
  std::int64_t skip_rows = 1;                      ///< it has so many rows, over and over
  const float* bias = nullptr;                     ///< added, a row; null: nothing
  const float *scale = nullptr, *shift = nullptr;  ///< a row; null: no shift
  double epsilon = 0;
  bool centered = true;
  float *y = nullptr, *sum = nullptr, *mean = nullptr, *inverse = nullptr;  ///< null: not wanted
};

std::int64_t LayerRowsScratch(std::int64_t width, std::int64_t threads);
/// Works in the context's scratch, with as many threads as there is room for.
void RunLayerRows(KernelContext& context, const LayerRows& all);

/// Whether a parameter of that shape has one number for each of the dimensions from `axis` on.
bool IsOneRow(const Shape& parameter, const Shape& x, std::size_t axis);

}  // namespace slipway::runtime
