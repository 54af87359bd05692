// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/resize_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/resize_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;

/// Two rows at once: of most kinds of resampling all there are.
void BlendTwo(const float* a, const float* b, float of_a, float of_b, std::int64_t count,
              float* y) {
  const Floats tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto by_a = hn::Set(tag, of_a), by_b = hn::Set(tag, of_b);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto part = hn::Mul(hn::LoadU(tag, a + i), by_a);
    hn::StoreU(hn::MulAdd(hn::LoadU(tag, b + i), by_b, part), tag, y + i);
  }
  for (; i < count; ++i) y[i] = a[i] * of_a + b[i] * of_b;
}

void BlendOne(const float* a, float of_a, std::int64_t count, bool add, float* y) {
  const Floats tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto by = hn::Set(tag, of_a);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto before = add ? hn::LoadU(tag, y + i) : hn::Zero(tag);
    hn::StoreU(hn::MulAdd(hn::LoadU(tag, a + i), by, before), tag, y + i);
  }
  for (; i < count; ++i) y[i] = (add ? y[i] : 0) + a[i] * of_a;
}

void BlendRows(std::span<const float* const> rows, std::span<const float> weights,
               std::int64_t count, float* y) {
  if (rows.size() == 2 && weights[0] != 0 && weights[1] != 0) {
    BlendTwo(rows[0], rows[1], weights[0], weights[1], count, y);
    return;
  }
  bool add = false;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    if (weights[t] == 0) continue;
    BlendOne(rows[t], weights[t], count, add, y);
    add = true;
  }
  if (!add) std::fill_n(y, count, 0.0F);
}

void BlendColumns(const ColumnBlend& blend, const float* x, float* y) {
  const Floats tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto zero = hn::Zero(tag);
  std::int64_t i = 0;
  for (; i + lanes <= blend.count; i += lanes) {
    auto sum = zero;
    for (std::int64_t t = 0; t < blend.taps; ++t) {
      const std::int64_t at = t * blend.count + i;
      const auto number = hn::GatherIndex(tag, x, hn::LoadU(Integers(), blend.indices + at));
      const auto weight = hn::LoadU(tag, blend.weights + at);
      sum = hn::IfThenElse(hn::Eq(weight, zero), sum, hn::MulAdd(number, weight, sum));
    }
    hn::StoreU(sum, tag, y + i);
  }
  for (; i < blend.count; ++i) {
    float sum = 0;
    for (std::int64_t t = 0; t < blend.taps; ++t) {
      const std::int64_t at = t * blend.count + i;
      if (blend.weights[at] != 0) sum += blend.weights[at] * x[blend.indices[at]];
    }
    y[i] = sum;
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(BlendRows);
HWY_EXPORT(BlendColumns);

void BlendRows(std::span<const float* const> rows, std::span<const float> weights,
               std::int64_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(BlendRows)(rows, weights, count, y);
}

void BlendColumns(const ColumnBlend& blend, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(BlendColumns)(blend, x, y);
}

}  // namespace slipway::runtime
#endif
