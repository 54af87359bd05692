// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_pairs_simd.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/byte_pairs_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Reals = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, Reals>;

/// As many elements from `at` on as a vector holds.
template <class T>
hn::Vec<Reals> RealsOf(const QuantisedRow& row, std::int64_t at) {
  const Reals tag;
  const auto* from = static_cast<const T*>(row.elements);
  const auto zero = hn::Set(tag, row.zero);
  const auto scale = hn::Set(tag, row.scale);
  const auto steps =
      row.step == 0
          ? hn::Set(tag, static_cast<double>(*from))
          : hn::PromoteTo(tag, hn::PromoteTo(hn::Rebind<std::int32_t, Reals>(),
                                             hn::LoadU(hn::Rebind<T, Reals>(), from + at)));
  return hn::Mul(hn::Sub(steps, zero), scale);
}

hn::Vec<Reals> RealsOf(const QuantisedRow& row, std::int64_t at) {
  return row.is_signed ? RealsOf<std::int8_t>(row, at) : RealsOf<std::uint8_t>(row, at);
}

/// The first `count` elements of `row` from `at` on, in `room`.
template <std::size_t N>
QuantisedRow Held(const QuantisedRow& row, std::int64_t at, std::int64_t count,
                  std::uint8_t (&room)[N]) {
  const auto* from = static_cast<const std::uint8_t*>(row.elements);
  QuantisedRow held = row;
  held.elements = room;
  std::copy_n(from + at * row.step, row.step == 0 ? 1 : count, room);
  return held;
}

template <class Combine>
void CombineRows(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count,
                 Combine combine) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Reals()));
  const auto made = [&](const QuantisedRow& left, const QuantisedRow& right,
                        std::int64_t at) HWY_ATTR {
    return hn::DemoteTo(Floats(), combine(RealsOf(left, at), RealsOf(right, at)));
  };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(made(a, b, i), Floats(), to + i);
  if (i == count) return;
  std::uint8_t left[hn::MaxLanes(Reals())] = {}, right[hn::MaxLanes(Reals())] = {};
  float rest[hn::MaxLanes(Reals())];
  const QuantisedRow x = Held(a, i, count - i, left), y = Held(b, i, count - i, right);
  hn::StoreU(made(x, y, 0), Floats(), rest);
  std::copy_n(rest, count - i, to + i);
}

void Add(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count) {
  CombineRows(a, b, to, count, [](auto x, auto y) HWY_ATTR { return hn::Add(x, y); });
}

void Multiply(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count) {
  CombineRows(a, b, to, count, [](auto x, auto y) HWY_ATTR { return hn::Mul(x, y); });
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(Add);
HWY_EXPORT(Multiply);

void AddQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(Add)(a, b, to, count);
}

void MultiplyQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to,
                       std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(Multiply)(a, b, to, count);
}

}  // namespace slipway::runtime
#endif
