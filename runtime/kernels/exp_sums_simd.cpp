// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/exp_sums_simd.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/exp_sums_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

#include "runtime/kernels/exp_inl.h"

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::ScalableTag<double>;
using OneDouble = hn::CappedTag<double, 1>;

constexpr std::int64_t kLanes = hn::MaxLanes(Doubles());

/// The exponentials of as many numbers as D has lanes.
template <class D>
HWY_INLINE hn::Vec<D> Weights(D tag, const float* x, hn::Vec<hn::Rebind<float, D>> largest) {
  const hn::Rebind<float, D> floats;
  return hn::PromoteTo(tag, BoundedExp(floats, hn::Sub(hn::LoadU(floats, x), largest)));
}

double ExpSumOfRow(const float* x, std::int64_t count, float largest) {
  const Doubles tag;
  const auto most = hn::Set(hn::Rebind<float, Doubles>(), largest);
  auto even = hn::Zero(tag), odd = even;
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    even = hn::Add(even, Weights(tag, x + i, most));
    odd = hn::Add(odd, Weights(tag, x + i + kLanes, most));
  }
  for (; i + kLanes <= count; i += kLanes) even = hn::Add(even, Weights(tag, x + i, most));
  if (i < count) {
    float rest[kLanes];
    std::fill(std::copy(x + i, x + count, rest), rest + kLanes,
              -std::numeric_limits<float>::infinity());
    odd = hn::Add(odd, Weights(tag, rest, most));
  }
  return hn::GetLane(hn::SumOfLanes(tag, hn::Add(even, odd)));
}

void ExpSumsOfColumns(const ColumnsOf& from, const float* largest, double* sums) {
  const auto add = [&](auto tag, std::int64_t column) HWY_ATTR {
    const hn::Rebind<float, decltype(tag)> floats;
    const auto most = hn::LoadU(floats, largest + column);
    auto sum = hn::Zero(tag);
    for (std::int64_t r = 0; r < from.count; ++r) {
      sum = hn::Add(sum, Weights(tag, from.x + r * from.step + column, most));
    }
    hn::StoreU(sum, tag, sums + column);
  };
  std::int64_t c = 0;
  for (; c + kLanes <= from.columns; c += kLanes) add(Doubles(), c);
  for (; c < from.columns; ++c) add(OneDouble(), c);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(ExpSumOfRow);
HWY_EXPORT(ExpSumsOfColumns);

double ExpSumOfRow(const float* x, std::int64_t count, float largest) {
  return HWY_DYNAMIC_DISPATCH(ExpSumOfRow)(x, count, largest);
}

void ExpSumsOfColumns(const ColumnsOf& from, const float* largest, double* sums) {
  HWY_DYNAMIC_DISPATCH(ExpSumsOfColumns)(from, largest, sums);
}

}  // namespace slipway::runtime
#endif
