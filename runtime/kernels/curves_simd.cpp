// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/curves_simd.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/curves_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "runtime/kernels/exp_inl.h"

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;

HWY_INLINE Vector Number(float number) { return hn::Set(Tag(), number); }

/// exp(x) - 1, for x of at most 0.
HWY_INLINE Vector ExpBelow(Vector x) {
  constexpr float kLeast = -100;
  return hn::Expm1(Tag(), hn::Max(x, Number(kLeast)));
}

/// -|x|
HWY_INLINE Vector Below(Vector x) { return hn::Or(x, hn::SignBit(Tag())); }

/// For x of at least 1.
HWY_INLINE Vector Reciprocal(Vector x) {
#if HWY_TARGET <= HWY_AVX3
  const Vector guess = hn::ApproximateReciprocal(x);
  return hn::Mul(guess, hn::NegMulAdd(x, guess, Number(2)));
#else
  return hn::Div(Number(1), x);
#endif
}

HWY_INLINE Vector Sigmoid(Vector x) {
  const Vector one = Number(1);
  const Vector exp = ExpOfNegative(Tag(), Below(x));
  const Vector above = hn::IfThenElse(hn::Lt(x, hn::Zero(Tag())), exp, one);
  return hn::Mul(above, Reciprocal(hn::Add(one, exp)));
}

HWY_INLINE Vector Elu(Vector x, Vector alpha) {
  const Vector zero = hn::Zero(Tag());
  const Vector below = hn::Mul(alpha, ExpBelow(hn::Min(x, zero)));
  return hn::IfThenElse(hn::Lt(x, zero), below, x);
}

HWY_INLINE Vector Softplus(Vector x) {
  const Vector rest = hn::Log1p(Tag(), ExpOfNegative(Tag(), Below(x)));
  return hn::Add(hn::Max(x, hn::Zero(Tag())), rest);
}

HWY_INLINE Vector HardSigmoid(Vector x, Vector alpha, Vector beta) {
  return hn::Clamp(hn::MulAdd(alpha, x, beta), hn::Zero(Tag()), Number(1));
}

template <Curve curve>
HWY_INLINE Vector Apply(Vector x, Vector alpha, Vector beta) {
  if constexpr (curve == Curve::kSigmoid) return Sigmoid(x);
  if constexpr (curve == Curve::kTanh) return hn::Tanh(Tag(), x);
  if constexpr (curve == Curve::kElu) return Elu(x, alpha);
  if constexpr (curve == Curve::kSelu) return hn::Mul(beta, Elu(x, alpha));
  if constexpr (curve == Curve::kSoftplus) return Softplus(x);
  if constexpr (curve == Curve::kMish) return hn::Mul(x, hn::Tanh(Tag(), Softplus(x)));
  if constexpr (curve == Curve::kSwish) {
    return hn::Mul(x, Sigmoid(hn::Mul(alpha, x)));
  }
  if constexpr (curve == Curve::kHardSigmoid) return HardSigmoid(x, alpha, beta);
  if constexpr (curve == Curve::kHardSwish) {
    return hn::Mul(x, HardSigmoid(x, Number(1.0F / 6), Number(0.5F)));
  }
  if constexpr (curve == Curve::kLeakyRelu) {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(Tag())), hn::Mul(alpha, x), x);
  }
}

template <Curve curve>
void RunAll(const CurveCall& f, const float* x, float* y, std::int64_t count) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const Vector alpha = hn::Set(tag, f.alpha), beta = hn::Set(tag, f.beta);
  const auto apply = [&](Vector in) HWY_ATTR {
    return hn::IfThenElse(hn::IsNaN(in), in, Apply<curve>(in, alpha, beta));
  };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(apply(hn::LoadU(tag, x + i)), tag, y + i);
  if (i == count) return;
  HWY_ALIGN float rest[hn::MaxLanes(tag)] = {};
  for (std::int64_t j = i; j < count; ++j) rest[j - i] = x[j];
  hn::Store(apply(hn::Load(tag, rest)), tag, rest);
  for (std::int64_t j = i; j < count; ++j) y[j] = rest[j - i];
}

void RunCurve(const CurveCall& f, const float* x, float* y, std::int64_t count) {
  switch (f.curve) {
    case Curve::kSigmoid:
      return RunAll<Curve::kSigmoid>(f, x, y, count);
    case Curve::kTanh:
      return RunAll<Curve::kTanh>(f, x, y, count);
    case Curve::kElu:
      return RunAll<Curve::kElu>(f, x, y, count);
    case Curve::kSelu:
      return RunAll<Curve::kSelu>(f, x, y, count);
    case Curve::kSoftplus:
      return RunAll<Curve::kSoftplus>(f, x, y, count);
    case Curve::kMish:
      return RunAll<Curve::kMish>(f, x, y, count);
    case Curve::kSwish:
      return RunAll<Curve::kSwish>(f, x, y, count);
    case Curve::kHardSigmoid:
      return RunAll<Curve::kHardSigmoid>(f, x, y, count);
    case Curve::kHardSwish:
      return RunAll<Curve::kHardSwish>(f, x, y, count);
    case Curve::kLeakyRelu:
      return RunAll<Curve::kLeakyRelu>(f, x, y, count);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunCurve);

void RunCurve(const CurveCall& f, const float* x, float* y, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(RunCurve)(f, x, y, count);
}

}  // namespace slipway::runtime
#endif
