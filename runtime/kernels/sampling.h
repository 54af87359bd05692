// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/tensor.h"

/// Points between the elements of a tensor as weighted sums of elements.
namespace slipway::runtime {

/// One element and its weight: along one dimension, or by its row-major offset.
struct WeightedTap {
  std::int64_t index = 0;
  double weight = 0;
};
using WeightedTaps = std::vector<WeightedTap>;

/// Adds a tap, or its weight to the tap of that index.
void AddTap(WeightedTaps& taps, std::int64_t index, double weight);

/// The two neighbours of a position along a dimension of `dim` that lie inside it and have a
/// weight. A position that is no number has none.
void LinearTaps(double position, std::int64_t dim, WeightedTaps& taps);

/// All combinations of one tap per dimension of `dims`: offsets, products of weights.
void CombineTaps(const std::vector<WeightedTaps>& axes, const Shape& dims, WeightedTaps& taps);

}  // namespace slipway::runtime
