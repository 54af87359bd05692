// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantize_simd.h"

#include <algorithm>
#include <array>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/quantize_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;

/// Of the quotients, less the smallest number: from 0 on.
hn::Vec<Integers> Steps(hn::Vec<Floats> quotient, float low, float high, std::int32_t shift) {
  const Floats tag;
  const auto number = hn::IfThenElseZero(hn::Eq(quotient, quotient), quotient);
  const auto held = hn::Min(hn::Max(number, hn::Set(tag, low)), hn::Set(tag, high));
  return hn::Add(hn::NearestInt(held), hn::Set(Integers(), shift));
}

/// T: without signs. What has signs is made without, half of the numbers higher, and moved down by
/// its highest bit.
template <class T>
void QuantizeTo(std::span<const float> x, const ByteScale& s, void* y) {
  const Floats tag;
  const hn::Rebind<T, Floats> made_tag;
  const auto scale = hn::Set(tag, s.scale);
  const auto low = static_cast<float>(s.least - s.zero);
  const auto high = static_cast<float>(s.most - s.zero);
  constexpr auto kHighest = static_cast<T>(T{1} << (8 * sizeof(T) - 1));
  const T flip = s.least < 0 ? kHighest : T{0};
  const std::int32_t shift = s.zero + flip;
  auto* out = static_cast<T*>(y);
  const std::size_t lanes = hn::Lanes(tag);
  const auto write = [&](const float* from, T* to) HWY_ATTR {
    const auto steps = Steps(hn::Div(hn::LoadU(tag, from), scale), low, high, shift);
    const auto made = hn::Xor(hn::DemoteTo(made_tag, steps), hn::Set(made_tag, flip));
    hn::StoreU(made, made_tag, to);
  };
  std::size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes) write(x.data() + i, out + i);
  if (i == x.size()) return;
  std::array<float, hn::MaxLanes(Floats())> rest = {};
  std::array<T, hn::MaxLanes(Floats())> made;
  std::ranges::copy(x.subspan(i), rest.begin());
  write(rest.data(), made.data());
  std::memcpy(out + i, made.data(), (x.size() - i) * sizeof(T));
}

void ToBytes(std::span<const float> x, const ByteScale& s, void* y) {
  QuantizeTo<std::uint8_t>(x, s, y);
}
void ToWords(std::span<const float> x, const ByteScale& s, void* y) {
  QuantizeTo<std::uint16_t>(x, s, y);
}

FloatRange RangeWithZero(std::span<const float> x) {
  const Floats tag;
  const std::size_t lanes = hn::Lanes(tag);
  auto least = hn::Zero(tag);
  auto most = hn::Zero(tag);
  std::size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes) {
    const auto value = hn::LoadU(tag, x.data() + i);
    least = hn::IfThenElse(hn::Lt(value, least), value, least);
    most = hn::IfThenElse(hn::Gt(value, most), value, most);
  }
  FloatRange range{.least = hn::GetLane(hn::MinOfLanes(tag, least)),
                   .most = hn::GetLane(hn::MaxOfLanes(tag, most))};
  for (; i < x.size(); ++i) {
    range.least = std::min(range.least, x[i]);
    range.most = std::max(range.most, x[i]);
  }
  return range;
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(ToBytes);
HWY_EXPORT(ToWords);
HWY_EXPORT(RangeWithZero);

void QuantizeToBytes(std::span<const float> x, const ByteScale& scale, void* y) {
  HWY_DYNAMIC_DISPATCH(ToBytes)(x, scale, y);
}

void QuantizeToWords(std::span<const float> x, const ByteScale& scale, void* y) {
  HWY_DYNAMIC_DISPATCH(ToWords)(x, scale, y);
}

FloatRange RangeWithZero(std::span<const float> x) {
  return HWY_DYNAMIC_DISPATCH(RangeWithZero)(x);
}

}  // namespace slipway::runtime
#endif
