// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/bounds.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/op.h"

/// Index arithmetic of the gather and scatter operators. Indices come from data and are checked:
/// kInvalidArgument naming the index and its range.
namespace slipway::runtime {

/// As many as there are indices.
using Offsets = CountedVector<std::int64_t>;

inline constexpr std::int64_t kGatherGrain = 8 << 10;

/// int32 or int64 indices into a dimension of `dim`, counted from the front.
Result<Offsets> NormalizedIndices(const Tensor& indices, std::int64_t dim);

/// Of an index within [-dim, dim), counted from the front.
inline std::int64_t FromFront(std::int64_t index, std::int64_t dim) {
  return index + ((index >> 63) & dim);
}

/// The elements of a tensor that have the places of indices, but for one dimension, where the
/// index says. Shares the indices.
class IndexedElements {
 public:
  /// `indices`, int32 or int64, lie within `data` but for `axis`.
  static Result<IndexedElements> Of(const Shape& data, const Tensor& indices, std::size_t axis);

  std::int64_t size() const { return plan_.size; }

  /// Calls body(i, place) for the indices [begin, end), in order: `place` is where in the tensor
  /// the element of index number i lies.
  template <class Body>
  void ForEach(std::int64_t begin, std::int64_t end, const Body& body) const {
    if (indices_.dtype() == DType::kInt32) {
      Walk(indices_.data<std::int32_t>().data(), begin, end, body);
    } else {
      Walk(indices_.data<std::int64_t>().data(), begin, end, body);
    }
  }

 private:
  template <class I, class Body>
  void Walk(const I* indices, std::int64_t begin, std::int64_t end, const Body& body) const {
    const std::int64_t dim = dim_, stride = stride_, step = plan_.inner_stride(0);
    ForEachRun(plan_, begin, end, [&](std::int64_t at, const auto& from, std::int64_t count) {
      std::int64_t base = from[0];
      for (std::int64_t i = at; i < at + count; ++i, base += step) {
        body(i, base + FromFront(indices[i], dim) * stride);
      }
    });
  }

  Tensor indices_;
  std::int64_t dim_ = 0, stride_ = 0;  ///< of the axis
  BroadcastPlan plan_;                 ///< of the other dimensions
};

/// For every index tuple along the last dimension of `indices`, behind `batch` dimensions that
/// both share, where in `data` the slice begins that it names.
Result<Offsets> SliceOffsets(const Shape& data, const Tensor& indices, std::size_t batch);

}  // namespace slipway::runtime
