// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather.h"

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

Offsets IndicesOf(const Tensor& indices) {
  if (indices.dtype() == DType::kInt32) {
    const auto numbers = indices.data<std::int32_t>();
    return Offsets(numbers.begin(), numbers.end());
  }
  const auto numbers = indices.data<std::int64_t>();
  return Offsets(numbers.begin(), numbers.end());
}

}  // namespace

Result<Offsets> NormalizedIndices(const Tensor& indices, std::int64_t dim) {
  Offsets normalized = IndicesOf(indices);
  for (std::int64_t& index : normalized) index = TRY(Checked(index, dim));
  return normalized;
}

Result<Offsets> ElementOffsets(const Shape& data, const Tensor& indices, std::size_t axis) {
  Offsets offsets = TRY(NormalizedIndices(indices, data[axis]));
  const Strides strides = ContiguousStrides(data);
  std::vector<std::int64_t> at(data.size(), 0);
  for (std::int64_t& offset : offsets) {
    offset *= strides[axis];
    for (std::size_t d = 0; d < at.size(); ++d) offset += d == axis ? 0 : at[d] * strides[d];
    for (std::size_t d = at.size(); d-- > 0;) {
      if (++at[d] < indices.shape()[d]) break;
      at[d] = 0;
    }
  }
  return offsets;
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
