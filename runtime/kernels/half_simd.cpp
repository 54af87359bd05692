// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/half_simd.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/half_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Words = hn::RebindToSigned<Floats>;
using Halves = hn::Rebind<std::uint16_t, Floats>;
using Word = hn::Vec<Words>;

Word Bits(std::uint32_t bits) { return hn::Set(Words(), static_cast<std::int32_t>(bits)); }

hn::Vec<Floats> AsFloat(Word bits) { return hn::BitCast(Floats(), bits); }
Word AsBits(hn::Vec<Floats> x) { return hn::BitCast(Words(), x); }

/// Numbers whose sign is taken off, with the exponent in its place.
Word WideMagnitude(Word shifted) {
  const auto exponent = hn::And(shifted, Bits(0x0f800000U));
  const auto whole = hn::Add(shifted, Bits(0x38000000U));
  const auto special = hn::IfThenElseZero(hn::Eq(exponent, Bits(0x0f800000U)), Bits(0x38000000U));
  const auto least = Bits(0x38800000U);
  const auto tiny = hn::Sub(AsFloat(hn::Add(shifted, least)), AsFloat(least));
  return hn::IfThenElse(hn::Eq(exponent, Bits(0)), AsBits(tiny), hn::Add(whole, special));
}

struct WidenFloat16 {
  static Word One(Word half) {
    const auto shifted = hn::ShiftLeft<13>(hn::And(half, Bits(0x7fffU)));
    const auto sign = hn::ShiftLeft<16>(hn::And(half, Bits(0x8000U)));
    return hn::Or(WideMagnitude(shifted), sign);
  }
};

struct WidenBfloat16 {
  static Word One(Word half) { return hn::ShiftLeft<16>(half); }
};

Word Odd(Word bits) { return hn::And(bits, Bits(1)); }

/// `bits` >> count as if they had no sign.
template <int count>
Word Shifted(Word bits) {
  const hn::RebindToUnsigned<Floats> tag;
  return hn::BitCast(Words(), hn::ShiftRight<count>(hn::BitCast(tag, bits)));
}

struct NarrowToFloat16 {
  static Word One(Word bits) {
    const auto x = hn::And(bits, Bits(0x7fffffffU));
    const auto rounded = hn::Add(hn::Add(x, Bits(0xc8000fffU)), Odd(Shifted<13>(x)));
    const auto half = hn::Set(Floats(), 0.5F);
    const auto tiny = hn::Sub(AsBits(hn::Add(AsFloat(x), half)), AsBits(half));
    const auto is_tiny = hn::Lt(x, Bits(0x38800000U));
    const auto finite = hn::IfThenElse(is_tiny, tiny, Shifted<13>(rounded));
    const auto is_nan = hn::Gt(x, Bits(0x7f800000U));
    const auto special = hn::IfThenElse(is_nan, Bits(0x7e00U), Bits(0x7c00U));
    const auto is_special = hn::Gt(x, Bits(0x477fffffU));
    const auto sign = hn::And(Shifted<16>(bits), Bits(0x8000U));
    return hn::Or(hn::IfThenElse(is_special, special, finite), sign);
  }
};

struct NarrowToBfloat16 {
  static Word One(Word bits) {
    const auto up = hn::Add(hn::Add(bits, Bits(0x7fffU)), Odd(Shifted<16>(bits)));
    const auto is_nan = hn::Gt(hn::And(bits, Bits(0x7fffffffU)), Bits(0x7f800000U));
    return hn::IfThenElse(is_nan, hn::Or(Shifted<16>(bits), Bits(0x40U)), Shifted<16>(up));
  }
};

template <class Form>
HWY_INLINE hn::Vec<Floats> WideOf(hn::Vec<Halves> halves) {
  return AsFloat(Form::One(hn::PromoteTo(Words(), halves)));
}

template <class Form>
HWY_INLINE hn::Vec<Halves> NarrowOf(hn::Vec<Floats> x) {
  return hn::DemoteTo(Halves(), Form::One(AsBits(x)));
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2 && !defined(HWY_DISABLE_F16C)
// Instructions for float16 do the same but for what is no number.
using Float16s = hn::Rebind<hwy::float16_t, Floats>;

template <>
HWY_INLINE hn::Vec<Floats> WideOf<WidenFloat16>(hn::Vec<Halves> halves) {
  const auto wide = hn::PromoteTo(Floats(), hn::BitCast(Float16s(), halves));
  if (hn::AllFalse(Floats(), hn::IsNaN(wide))) return wide;
  return AsFloat(WidenFloat16::One(hn::PromoteTo(Words(), halves)));
}

template <>
HWY_INLINE hn::Vec<Halves> NarrowOf<NarrowToFloat16>(hn::Vec<Floats> x) {
  if (hn::AllFalse(Floats(), hn::IsNaN(x))) {
    return hn::BitCast(Halves(), hn::DemoteTo(Float16s(), x));
  }
  return hn::DemoteTo(Halves(), NarrowToFloat16::One(AsBits(x)));
}
#endif

template <class Form>
void Widen(const std::uint16_t* x, float* y, std::size_t count) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(WideOf<Form>(hn::LoadU(Halves(), x + i)), Floats(), y + i);
  }
  for (; i < count; ++i) {
    y[i] = hn::GetLane(AsFloat(Form::One(Bits(x[i]))));
  }
}

template <class Form>
void Narrow(const float* x, std::uint16_t* y, std::size_t count) {
  const std::size_t lanes = hn::Lanes(Floats());
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(NarrowOf<Form>(hn::LoadU(Floats(), x + i)), Halves(), y + i);
  }
  for (; i < count; ++i) {
    const auto words = Form::One(AsBits(hn::Set(Floats(), x[i])));
    y[i] = static_cast<std::uint16_t>(hn::GetLane(words));
  }
}

void FromFloat16(const std::uint16_t* x, float* y, std::size_t count) {
  Widen<WidenFloat16>(x, y, count);
}
void FromBfloat16(const std::uint16_t* x, float* y, std::size_t count) {
  Widen<WidenBfloat16>(x, y, count);
}
void ToFloat16(const float* x, std::uint16_t* y, std::size_t count) {
  Narrow<NarrowToFloat16>(x, y, count);
}
void ToBfloat16(const float* x, std::uint16_t* y, std::size_t count) {
  Narrow<NarrowToBfloat16>(x, y, count);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

static_assert(sizeof(Float16) == sizeof(std::uint16_t) &&
              sizeof(BFloat16) == sizeof(std::uint16_t));

HWY_EXPORT(FromFloat16);
HWY_EXPORT(FromBfloat16);
HWY_EXPORT(ToFloat16);
HWY_EXPORT(ToBfloat16);

void WidenHalf(std::span<const Float16> x, float* y) {
  if (!x.empty()) HWY_DYNAMIC_DISPATCH(FromFloat16)(&x.data()->bits, y, x.size());
}
void WidenHalf(std::span<const BFloat16> x, float* y) {
  if (!x.empty()) HWY_DYNAMIC_DISPATCH(FromBfloat16)(&x.data()->bits, y, x.size());
}
void NarrowToHalf(std::span<const float> x, Float16* y) {
  if (!x.empty()) HWY_DYNAMIC_DISPATCH(ToFloat16)(x.data(), &y->bits, x.size());
}
void NarrowToHalf(std::span<const float> x, BFloat16* y) {
  if (!x.empty()) HWY_DYNAMIC_DISPATCH(ToBfloat16)(x.data(), &y->bits, x.size());
}

}  // namespace slipway::runtime
#endif
