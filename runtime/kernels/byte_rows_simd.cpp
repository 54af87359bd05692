// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_rows_simd.h"

#include <algorithm>
#include <bit>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/byte_rows_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;

constexpr std::int32_t kNoSign = 0x7fffffff;

/// Without their signs, floats are in the order of their bits; infinities and then what is no
/// number come last.
float LargestMagnitude(std::span<const float> x) {
  const Floats tag;
  const Integers bits;
  const std::size_t lanes = hn::Lanes(tag);
  const auto mask = hn::Set(bits, kNoSign);
  auto even = hn::Zero(bits);
  auto odd = hn::Zero(bits);
  std::size_t i = 0;
  const auto at = [&](std::size_t k) HWY_ATTR {
    return hn::And(hn::BitCast(bits, hn::LoadU(tag, x.data() + k)), mask);
  };
  for (; i + 2 * lanes <= x.size(); i += 2 * lanes) {
    even = hn::Max(even, at(i));
    odd = hn::Max(odd, at(i + lanes));
  }
  std::int32_t most = hn::GetLane(hn::MaxOfLanes(bits, hn::Max(even, odd)));
  for (; i < x.size(); ++i) most = std::max(most, std::bit_cast<std::int32_t>(x[i]) & kNoSign);
  return std::bit_cast<float>(most);
}

void ScaleSums(const RowScale& scale, std::span<float> y) {
  const Floats tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto row = hn::Set(tag, scale.row);
  const auto least = hn::Set(tag, scale.bounds.least);
  const auto most = hn::Set(tag, scale.bounds.most);
  std::size_t j = 0;
  for (; j + lanes <= y.size(); j += lanes) {
    const auto factor = hn::Mul(row, hn::LoadU(tag, scale.columns + j));
    const auto added = scale.added == nullptr ? hn::Zero(tag) : hn::LoadU(tag, scale.added + j);
    const auto sum = hn::MulAdd(hn::LoadU(tag, y.data() + j), factor, added);
    const auto above = hn::IfThenElse(hn::Lt(sum, least), least, sum);
    hn::StoreU(hn::IfThenElse(hn::Gt(above, most), most, above), tag, y.data() + j);
  }
  for (; j < y.size(); ++j) {
    const float added = scale.added == nullptr ? 0.0F : scale.added[j];
    y[j] = scale.bounds.Held(y[j] * (scale.row * scale.columns[j]) + added);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(LargestMagnitude);
HWY_EXPORT(ScaleSums);

float LargestMagnitude(std::span<const float> x) {
  return HWY_DYNAMIC_DISPATCH(LargestMagnitude)(x);
}

void ScaleSums(const RowScale& scale, std::span<float> y) {
  HWY_DYNAMIC_DISPATCH(ScaleSums)(scale, y);
}

}  // namespace slipway::runtime
#endif
