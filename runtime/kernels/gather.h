// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/bounds.h"
#include "runtime/op.h"

/// Index arithmetic of the gather and scatter operators. Indices come from data and are checked:
/// kInvalidArgument naming the index and its range.
namespace slipway::runtime {

/// As many as there are indices.
using Offsets = CountedVector<std::int64_t>;

inline constexpr std::int64_t kGatherGrain = 8 << 10;

/// int32 or int64 indices into a dimension of `dim`, counted from the front.
Result<Offsets> NormalizedIndices(const Tensor& indices, std::int64_t dim);

/// For every element of `indices` where in a tensor of shape `data` the element lies that has
/// the same place, but for `axis`, where the index says.
Result<Offsets> ElementOffsets(const Shape& data, const Tensor& indices, std::size_t axis);

/// For every index tuple along the last dimension of `indices`, behind `batch` dimensions that
/// both share, where in `data` the slice begins that it names.
Result<Offsets> SliceOffsets(const Shape& data, const Tensor& indices, std::size_t batch);

}  // namespace slipway::runtime
