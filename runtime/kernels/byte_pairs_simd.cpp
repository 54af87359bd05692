// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_pairs_simd.h"

#include <algorithm>
#include <cmath>
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

using Near = hn::ScalableTag<float>;

/// The bytes of a row, in float32.
template <class T>
struct Row {
  const T* elements;
  hn::Vec<Near> first;

  explicit Row(const QuantisedRow& row)
      : elements(static_cast<const T*>(row.elements)),
        first(hn::Set(Near(), static_cast<float>(*elements))) {}

  template <bool one>
  HWY_INLINE hn::Vec<Near> From(std::int64_t at) const {
    if constexpr (one) return first;
    const auto bytes = hn::LoadU(hn::Rebind<T, Near>(), elements + at);
    return hn::ConvertTo(Near(), hn::PromoteTo(hn::RebindToSigned<Near>(), bytes));
  }
};

/// A few elements by way of the real numbers.
template <class Exact>
void FewToBytes(const QuantisedRow& a, const QuantisedRow& b, std::int64_t at,
                const ByteScale& scale, std::uint8_t* to, std::int64_t count, Exact exact) {
  constexpr std::int64_t kSome = 256;
  float reals[kSome];
  for (std::int64_t done = 0; done < count; done += kSome) {
    const std::int64_t some = std::min(kSome, count - done);
    const auto from = [&](QuantisedRow row) {
      row.elements = static_cast<const std::uint8_t*>(row.elements) + (at + done) * row.step;
      return row;
    };
    exact(from(a), from(b), reals, some);
    QuantizeToBytes({reals, static_cast<std::size_t>(some)}, scale, to + at + done);
  }
}

/// The result as bytes, made of vectors of both rows.
struct Made {
  std::uint8_t* to;
  std::int64_t count;
  float doubt;  ///< what is nearer than this to halfway between two bytes is computed exactly
};

template <class T, bool one_a, bool one_b, class Combine, class Exact>
void RowsToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                 const Made& made, Combine combine, Exact exact) {
  const Near tag;
  const hn::RebindToSigned<Near> whole;
  const hn::Rebind<T, Near> bytes;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto low = hn::Set(tag, static_cast<float>(scale.least - scale.zero));
  const auto high = hn::Set(tag, static_cast<float>(scale.most - scale.zero));
  const auto shift = hn::Set(whole, scale.zero);
  const auto sure = hn::Set(tag, 0.5F - made.doubt);
  const auto write = [&](const Row<T>& x, const Row<T>& y, std::int64_t at,
                         std::uint8_t* to) HWY_ATTR {
    const auto steps = combine(x.template From<one_a>(at), y.template From<one_b>(at));
    const auto held = hn::Min(hn::Max(steps, low), high);
    const auto nearest = hn::NearestInt(held);
    const auto apart = hn::Abs(hn::Sub(held, hn::ConvertTo(tag, nearest)));
    hn::StoreU(hn::DemoteTo(bytes, hn::Add(nearest, shift)), bytes, reinterpret_cast<T*>(to));
    return hn::AllTrue(tag, hn::Lt(apart, sure));
  };
  const Row<T> left(a), right(b);
  std::int64_t i = 0;
  for (; i + lanes <= made.count; i += lanes) {
    if (!write(left, right, i, made.to + i)) [[unlikely]] {
      FewToBytes(a, b, i, scale, made.to, lanes, exact);
    }
  }
  if (i == made.count) return;
  std::uint8_t room[3][hn::MaxLanes(Near())] = {};
  const QuantisedRow x = Held(a, i, made.count - i, room[0]);
  const QuantisedRow y = Held(b, i, made.count - i, room[1]);
  const bool told = write(Row<T>(x), Row<T>(y), 0, room[2]);
  std::copy_n(room[2], made.count - i, made.to + i);
  if (!told) FewToBytes(a, b, i, scale, made.to, made.count - i, exact);
}

/// `combine`: of two vectors of bytes what they are in steps of the result.
template <class T, class Combine, class Exact>
void NearToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                 const Made& made, Combine combine, Exact exact) {
  if (made.count == 0) return;
  if (a.step == 0 && b.step == 0) {
    RowsToBytes<T, true, true>(a, b, scale, made, combine, exact);
  } else if (a.step == 0) {
    RowsToBytes<T, true, false>(a, b, scale, made, combine, exact);
  } else if (b.step == 0) {
    RowsToBytes<T, false, true>(a, b, scale, made, combine, exact);
  } else {
    RowsToBytes<T, false, false>(a, b, scale, made, combine, exact);
  }
}

template <class Combine, class Exact>
void ToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale, const Made& made,
             Combine combine, Exact exact) {
  a.is_signed ? NearToBytes<std::int8_t>(a, b, scale, made, combine, exact)
              : NearToBytes<std::uint8_t>(a, b, scale, made, combine, exact);
}

/// Beyond this float32 does not tell enough.
constexpr float kMostDoubt = 0.125F;
/// What rounding leaves of steps in a byte's range.
constexpr float kLeastDoubt = 0x1p-12F;
/// Steps of an operand, with its zero point.
constexpr float kMostSteps = 383;

void AddBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
              std::uint8_t* to, std::int64_t count) {
  const auto left = static_cast<float>(a.scale / static_cast<double>(scale.scale));
  const auto right = static_cast<float>(b.scale / static_cast<double>(scale.scale));
  const float doubt = kLeastDoubt + 0x1p-21F * kMostSteps * (std::abs(left) + std::abs(right));
  if (!(doubt < kMostDoubt)) return FewToBytes(a, b, 0, scale, to, count, Add);
  const double zeros = a.zero * a.scale + b.zero * b.scale;
  const auto shift = static_cast<float>(-zeros / static_cast<double>(scale.scale));
  const auto combine = [&](auto x, auto y) HWY_ATTR {
    const Near tag;
    const auto of_y = hn::MulAdd(y, hn::Set(tag, right), hn::Set(tag, shift));
    return hn::MulAdd(x, hn::Set(tag, left), of_y);
  };
  ToBytes(a, b, scale, {to, count, doubt}, combine, Add);
}

void MultiplyBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                   std::uint8_t* to, std::int64_t count) {
  const auto factor = static_cast<float>(a.scale * b.scale / static_cast<double>(scale.scale));
  const bool fits = std::abs(factor) > 0x1p-60F && std::abs(factor) < 0x1p60F;
  if (!fits) return FewToBytes(a, b, 0, scale, to, count, Multiply);
  const auto combine = [&](auto x, auto y) HWY_ATTR {
    const Near tag;
    const auto left = hn::Sub(x, hn::Set(tag, static_cast<float>(a.zero)));
    const auto right = hn::Sub(y, hn::Set(tag, static_cast<float>(b.zero)));
    return hn::Mul(hn::Mul(left, right), hn::Set(tag, factor));
  };
  ToBytes(a, b, scale, {to, count, kLeastDoubt}, combine, Multiply);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(Add);
HWY_EXPORT(Multiply);
HWY_EXPORT(AddBytes);
HWY_EXPORT(MultiplyBytes);

void AddQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(Add)(a, b, to, count);
}

void MultiplyQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to,
                       std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(Multiply)(a, b, to, count);
}

void AddToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                std::uint8_t* to, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(AddBytes)(a, b, scale, to, count);
}

void MultiplyToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                     std::uint8_t* to, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(MultiplyBytes)(a, b, scale, to, count);
}

}  // namespace slipway::runtime
#endif
