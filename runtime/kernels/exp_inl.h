// SPDX-License-Identifier: Apache-2.0
// For *_simd.cpp, which Highway compiles once for every set of instructions: so is this.
#if defined(SLIPWAY_RUNTIME_KERNELS_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIPWAY_RUNTIME_KERNELS_EXP_INL_H
#undef SLIPWAY_RUNTIME_KERNELS_EXP_INL_H
#else
#define SLIPWAY_RUNTIME_KERNELS_EXP_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {

/// e^x for x up to 88.7, where it is no longer finite; 0 where that is no normal number, and for
/// what is no number. x is n * ln 2 + r; e^r is the polynomial of degree 6 whose largest relative
/// error for |r| <= ln 2 / 2 is least, and n is added to the exponent. Within one unit in the last
/// place.
template <class Tag, class Vector = hwy::HWY_NAMESPACE::Vec<Tag>>
HWY_INLINE Vector BoundedExp(Tag tag, Vector x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<Tag> whole;
  const auto number = [tag](float value) HWY_ATTR { return hn::Set(tag, value); };
  // Adding it leaves the nearest integer in the lowest bits.
  const Vector magic = number(12582912.0F);
  const Vector shifted = hn::MulAdd(x, number(1.44269504F), magic);
  const Vector n = hn::Sub(shifted, magic);
  Vector r = hn::NegMulAdd(n, number(0.693359375F), x);
  r = hn::NegMulAdd(n, number(-2.12194440e-4F), r);
  Vector sum = hn::MulAdd(number(1.3814529e-3F), r, number(8.36875e-3F));
  sum = hn::MulAdd(sum, r, number(4.1668393e-2F));
  sum = hn::MulAdd(sum, r, number(1.666652e-1F));
  sum = hn::MulAdd(sum, r, number(4.9999994e-1F));
  sum = hn::MulAdd(sum, r, number(1));
  sum = hn::MulAdd(sum, r, number(1));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(whole, shifted));
  const auto scaled = hn::BitCast(tag, hn::Add(hn::BitCast(whole, sum), exponent));
  return hn::IfThenElseZero(hn::Ge(x, number(-87.0F)), scaled);
}

}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
