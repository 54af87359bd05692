// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/sums_simd.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/sums_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<double>;
using Vector = hn::Vec<Tag>;

template <class T>
T One(std::int32_t sum, const SumScale& s, std::int64_t at) {
  const double scaled = (static_cast<double>(sum) + s.added[at]) * s.scales[at];
  return static_cast<T>(std::clamp(std::nearbyint(scaled) + s.zero, s.least, s.most));
}

template <class T>
void ToBytes(std::span<const std::int32_t> sums, const SumScale& s, T* y) {
  const Tag tag;
  const hn::Rebind<std::int32_t, Tag> whole;
  const hn::Rebind<T, Tag> bytes;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto count = static_cast<std::int64_t>(sums.size());
  const Vector zero = hn::Set(tag, s.zero);
  const Vector least = hn::Set(tag, s.least), most = hn::Set(tag, s.most);
  Vector scale = hn::Set(tag, s.scales[0]), added = hn::Set(tag, s.added[0]);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    if (s.step != 0) {
      scale = hn::LoadU(tag, s.scales + i);
      added = hn::LoadU(tag, s.added + i);
    }
    const Vector sum = hn::PromoteTo(tag, hn::LoadU(whole, sums.data() + i));
    const Vector scaled = hn::Add(hn::Round(hn::Mul(hn::Add(sum, added), scale)), zero);
    const auto held = hn::DemoteTo(whole, hn::Min(hn::Max(scaled, least), most));
    hn::StoreU(hn::DemoteTo(bytes, held), bytes, y + i);
  }
  for (; i < count; ++i) y[i] = One<T>(sums[static_cast<std::size_t>(i)], s, s.step * i);
}

void ToSigned(std::span<const std::int32_t> sums, const SumScale& scale, std::int8_t* y) {
  ToBytes(sums, scale, y);
}
void ToUnsigned(std::span<const std::int32_t> sums, const SumScale& scale, std::uint8_t* y) {
  ToBytes(sums, scale, y);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(ToSigned);
HWY_EXPORT(ToUnsigned);

void SumsToBytes(std::span<const std::int32_t> sums, const SumScale& scale, std::int8_t* y) {
  HWY_DYNAMIC_DISPATCH(ToSigned)(sums, scale, y);
}
void SumsToBytes(std::span<const std::int32_t> sums, const SumScale& scale, std::uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(ToUnsigned)(sums, scale, y);
}

}  // namespace slipway::runtime
#endif
