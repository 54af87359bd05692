// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/heads_mask.h"

#include <limits>
#include <memory>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"

namespace slipway::runtime {

Result<void> HeadsMask::Check(const Shape& mask, const HeadsShape& s) {
  const bool fits = mask == Shape{s.batch} || mask == Shape{2 * s.batch} ||
                    mask == Shape{s.batch, s.kv_length} || mask == Shape{s.batch, 1} ||
                    mask == Shape{1, 1} || mask == Shape{s.batch, s.q_length, s.kv_length} ||
                    (mask.size() == 4 && mask[0] == s.batch && mask[1] == 1 &&
                     mask[2] >= s.kv_length && mask[3] >= s.kv_length);
  if (fits) return {};
  return Invalid("mask of ", mask, " does not fit ", s.batch, " times ", s.q_length,
                 " queries and ", s.kv_length, " keys");
}

HeadsMask::HeadsMask(const Tensor* mask, const HeadsShape& shape, std::int64_t past)
    : elements_(IntsOf(mask)), shape_(shape), past_(past) {
  if (mask != nullptr) dims_ = mask->shape();
  const bool none = dims_.size() == 2 && dims_[1] == 1 && shape.kv_length != 1;
  if (none) dims_.clear();
}

bool HeadsMask::Hides(std::int64_t n, std::int64_t i, std::int64_t j) const {
  const auto at = [&](std::int64_t place) { return elements_[At(place)]; };
  switch (dims_.size()) {
    case 1:
      if (j >= at(n)) return true;
      return dims_[0] == 2 * shape_.batch && j < at(shape_.batch + n);
    case 2:
      return at((dims_[0] == 1 ? 0 : n) * dims_[1] + j) == 0;
    case 3:
      return at((n * dims_[1] + i) * dims_[2] + j) == 0;
    case 4:
      return at((n * dims_[2] + past_ + i) * dims_[3] + j) == 0;
    default:
      return false;
  }
}

Result<void> CheckAddedBias(const Shape& bias, const HeadsShape& s) {
  const bool fits = bias.size() == 4 && (bias[0] == 1 || bias[0] == s.batch) &&
                    (bias[1] == 1 || bias[1] == s.q_heads) && bias[2] == s.q_length &&
                    bias[3] == s.kv_length;
  if (fits) return {};
  return Invalid("attention bias of ", bias, " does not broadcast to ",
                 Shape{s.batch, s.q_heads, s.q_length, s.kv_length});
}

/// Of [batch or 1, heads or 1, q_length, keys].
BiasRows RowsOfAdded(const Tensor& added) {
  const Shape& dims = added.shape();
  const std::int64_t plane = dims[2] * dims[3];
  return {.data = added.data<float>().data(),
          .item = dims[0] == 1 ? 0 : dims[1] * plane,
          .head = dims[1] == 1 ? 0 : plane,
          .row = dims[3]};
}

HeadsBias JoinedBias(const BiasParts& parts) {
  auto added = std::make_shared<const Doubles>(DoublesOf(parts.added));
  const Shape dims = parts.added == nullptr ? Shape{} : parts.added->shape();
  const auto filter =
      static_cast<double>(parts.node->attributes.Float("mask_filter_value", -10000.0F));
  const bool causal = parts.node->attributes.Int("unidirectional", 0) != 0;
  const std::int64_t past = parts.past;
  return [mask = HeadsMask(parts.mask, parts.shape, past), added, dims, filter, causal, past](
             std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t j) {
    if (causal && j > past + i) return -std::numeric_limits<double>::infinity();
    double bias = mask.Hides(n, i, j) ? filter : 0;
    if (!added->empty()) {
      const std::int64_t plane = (dims[0] == 1 ? 0 : n) * dims[1] + (dims[1] == 1 ? 0 : h);
      bias += (*added)[At((plane * dims[2] + i) * dims[3] + j)];
    }
    return bias;
  };
}

Result<JoinedRows> JoinBiasRows(KernelContext& context, const BiasParts& parts,
                                BlockedHeads& problem) {
  JoinedRows rows;
  const HeadsShape& s = parts.shape;
  const HeadsMask mask(parts.mask, s, parts.past);
  if (!mask.hides_none()) {
    const std::int64_t count = mask.per_query() ? s.q_length : 1;
    rows.mask = TRY(Tensor::Make(DType::kFloat32, {s.batch, count, s.kv_length}));
    const float filter = parts.node->attributes.Float("mask_filter_value", -10000.0F);
    float* const data = rows.mask.data<float>().data();
    float* to = data;
    for (std::int64_t n = 0; n < s.batch; ++n) {
      for (std::int64_t i = 0; i < count; ++i) {
        for (std::int64_t j = 0; j < s.kv_length; ++j) *to++ = mask.Hides(n, i, j) ? filter : 0;
      }
    }
    problem.bias[0] = {
        .data = data, .item = count * s.kv_length, .row = mask.per_query() ? s.kv_length : 0};
  }
  if (parts.added != nullptr) {
    rows.added = TRY(BiasOfMask(context, *parts.added));
    problem.bias[1] = RowsOfAdded(rows.added);
  }
  problem.seen.offset.assign(At(s.batch), parts.past);
  if (parts.node->attributes.Int("unidirectional", 0) != 0) problem.seen.right = 0;
  return rows;
}

}  // namespace slipway::runtime
