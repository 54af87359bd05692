// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather.h"

#include <span>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

Result<std::int64_t> Checked(std::int64_t index, std::int64_t dim) {
  if (index < -dim || index >= dim) {
    return Invalid("index ", index, " out of range [", -dim, ", ", dim, ")");
  }
  return index < 0 ? index + dim : index;
}

/// That all are within [-dim, dim): highest bits of what they are above it and below it tell.
template <class I>
Result<void> CheckAll(std::span<const I> indices, std::int64_t dim) {
  const auto span = static_cast<std::uint64_t>(dim);
  std::uint64_t outside = 0;
  for (const I index : indices) {
    const std::uint64_t above = static_cast<std::uint64_t>(index) + span;
    outside |= above | (2 * span - 1 - above);
  }
  if (outside >> 63 == 0) return {};
  for (const I index : indices) TRY(Checked(index, dim));
  return {};
}

Result<void> CheckIndices(const Tensor& indices, std::int64_t dim) {
  if (indices.dtype() == DType::kInt32) return CheckAll(indices.data<std::int32_t>(), dim);
  return CheckAll(indices.data<std::int64_t>(), dim);
}

Offsets IndicesOf(const Tensor& indices) {
  if (indices.dtype() == DType::kInt32) {
    const auto numbers = indices.data<std::int32_t>();
    return Offsets(numbers.begin(), numbers.end());
  }
  const auto numbers = indices.data<std::int64_t>();
  return Offsets(numbers.begin(), numbers.end());
}

/// How places of indices but along `axis` lead into `data`.
BroadcastPlan PlanPlaces(const Shape& data, const Shape& indices, std::size_t axis) {
  const Strides strides = ContiguousStrides(data);
  BroadcastPlan plan{.dims = {}, .strides = {{}}, .size = CountOf(indices, 0, indices.size())};
  std::vector<std::int64_t>& steps = plan.strides[0];
  for (std::size_t d = 0; d < indices.size(); ++d) {
    if (indices[d] == 1) continue;
    const std::int64_t step = d == axis ? 0 : strides[d];
    if (!steps.empty() && step != 0 && steps.back() == step * indices[d]) {
      plan.dims.back() *= indices[d];
      steps.back() = step;
    } else {
      plan.dims.push_back(indices[d]);
      steps.push_back(step);
    }
  }
  if (plan.dims.empty()) {
    plan.dims.push_back(1);
    steps.push_back(0);
  }
  return plan;
}

}  // namespace

Result<Offsets> NormalizedIndices(const Tensor& indices, std::int64_t dim) {
  TRY(CheckIndices(indices, dim));
  Offsets normalized = IndicesOf(indices);
  for (std::int64_t& index : normalized) index = FromFront(index, dim);
  return normalized;
}

Result<IndexedElements> IndexedElements::Of(const Shape& data, const Tensor& indices,
                                            std::size_t axis) {
  TRY(CheckIndices(indices, data[axis]));
  IndexedElements elements;
  elements.indices_ = indices;
  elements.dim_ = data[axis];
  elements.stride_ = ContiguousStrides(data)[axis];
  elements.plan_ = PlanPlaces(data, indices.shape(), axis);
  return elements;
}

Result<Offsets> SliceOffsets(const Shape& data, const Tensor& indices, std::size_t batch) {
  const Shape& shape = indices.shape();
  const auto width = At(shape.back());
  const Strides strides = ContiguousStrides(data);
  const std::int64_t tuples = CountOf(shape, 0, shape.size() - 1);
  const std::int64_t per_batch = CountOf(shape, batch, shape.size() - 1);
  const std::int64_t batch_stride = batch == 0 ? 0 : strides[batch - 1];
  const Offsets flat = IndicesOf(indices);
  Offsets offsets(At(tuples));
  for (std::int64_t i = 0; i < tuples; ++i) {
    std::int64_t offset = i / per_batch * batch_stride;
    for (std::size_t k = 0; k < width; ++k) {
      const std::int64_t index = TRY(Checked(flat[At(i) * width + k], data[batch + k]));
      offset += index * strides[batch + k];
    }
    offsets[At(i)] = offset;
  }
  return offsets;
}

}  // namespace slipway::runtime
