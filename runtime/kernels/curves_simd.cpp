// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/curves_simd.h"

#include <cmath>
#include <cstddef>
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
  const Vector exp = BoundedExp(Tag(), Below(x));
  const Vector above = hn::IfThenElse(hn::Lt(x, hn::Zero(Tag())), exp, one);
  return hn::Mul(above, Reciprocal(hn::Add(one, exp)));
}

HWY_INLINE Vector Elu(Vector x, Vector alpha) {
  const Vector zero = hn::Zero(Tag());
  const Vector below = hn::Mul(alpha, ExpBelow(hn::Min(x, zero)));
  return hn::IfThenElse(hn::Lt(x, zero), below, x);
}

HWY_INLINE Vector Celu(Vector x, Vector alpha) {
  const Vector zero = hn::Zero(Tag());
  const Vector below = hn::Mul(alpha, ExpBelow(hn::Div(hn::Min(x, zero), alpha)));
  return hn::IfThenElse(hn::Lt(x, zero), below, x);
}

HWY_INLINE Vector Softplus(Vector x) {
  const Vector rest = hn::Log1p(Tag(), BoundedExp(Tag(), Below(x)));
  return hn::Add(hn::Max(x, hn::Zero(Tag())), rest);
}

HWY_INLINE Vector Exp(Vector x) {
  constexpr float kMost = 88.7228F;
  return hn::IfThenElse(hn::Gt(x, Number(kMost)), hn::Inf(Tag()), BoundedExp(Tag(), x));
}

HWY_INLINE Vector Log(Vector x) {
  const Vector zero = hn::Zero(Tag()), infinity = hn::Inf(Tag());
  const Vector below = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), hn::NaN(Tag()));
  const Vector known = hn::IfThenElse(hn::Eq(x, infinity), infinity, hn::Log(Tag(), x));
  return hn::IfThenElse(hn::Gt(x, zero), known, below);
}

/// c[0] + c[1] * x + ...
template <std::size_t count>
HWY_INLINE Vector Polynomial(const float (&c)[count], Vector x) {
  Vector sum = Number(c[count - 1]);
  for (std::size_t i = count - 1; i-- > 0;) sum = hn::MulAdd(sum, x, Number(c[i]));
  return sum;
}

/// Polynomials of least largest error: of erf(x) / x - 1 in x * x up to 1, and of
/// -log(1 - erf(x)) / x from there to 4.1, from where on erf(x) is 1.
constexpr float kErfNear[] = {0.12837912F,   -0.37612325F,  0.112801798F,
                              -0.026711309F, 0.0049175504F, -0.00056314183F};
constexpr float kErfFar[] = {1.1286657F,    0.63508195F,     0.10635071F,   -0.0238593966F,
                             0.0036881664F, -0.00033397449F, 1.23408636e-5F};
constexpr float kErfMost = 4.1F;

/// For |x| up to 1.
HWY_INLINE Vector NearErf(Vector x) {
  return hn::MulAdd(x, Polynomial(kErfNear, hn::Mul(x, x)), x);
}

HWY_INLINE Vector Erf(Vector x) {
  const Vector away = hn::Min(hn::Abs(x), Number(kErfMost));
  const Vector rest = BoundedExp(Tag(), hn::Neg(hn::Mul(away, Polynomial(kErfFar, away))));
  const Vector far = hn::CopySign(hn::Sub(Number(1), rest), x);
  return hn::IfThenElse(hn::Lt(away, Number(1)), NearErf(x), far);
}

/// x / 2 * (1 + erf(x / sqrt(2))). Below 0 the sum is what is left of erf to 1, which falls like
/// exp(-x * x / 2) where erf itself is 1.
HWY_INLINE Vector Gelu(Vector x) {
  constexpr float kFall = 0.4906F;  // of the logarithm over x at 4.1, above 4.1 itself
  const Vector at = hn::Mul(x, Number(0.707106781F)), away = hn::Abs(at);
  const Vector fall = hn::IfThenElse(hn::Lt(away, Number(kErfMost)), Polynomial(kErfFar, away),
                                     hn::Add(away, Number(kFall)));
  const Vector rest = BoundedExp(Tag(), hn::Neg(hn::Mul(away, fall)));
  const Vector far = hn::IfThenElse(hn::Lt(at, hn::Zero(Tag())), rest, hn::Sub(Number(2), rest));
  const Vector near = hn::Add(Number(1), NearErf(at));
  return hn::Mul(hn::Mul(Number(0.5F), x), hn::IfThenElse(hn::Lt(away, Number(1)), near, far));
}

/// x / 2 * (1 + tanh(u)) as x * sigmoid(2 * u), u = sqrt(2 / pi) * (x + 0.044715 * x ^ 3).
HWY_INLINE Vector GeluTanh(Vector x) {
  const Vector cube = hn::MulAdd(hn::Mul(x, x), Number(0.0713548163F), Number(1.59576912F));
  return hn::Mul(x, Sigmoid(hn::Mul(x, cube)));
}

/// (1 - e) / (1 + e), of e = exp(-2 |x|); near 0 x and a polynomial of least largest error of
/// tanh(x) - x.
HWY_INLINE Vector Tanh(Vector x) {
  constexpr float kNear[] = {-0.33333281F, 0.13331442F, -0.05373971F, 0.020639079F, -0.0057049776F};
  constexpr float kFarFrom = 0.625F;
  const Vector away = hn::Abs(x), square = hn::Mul(x, x);
  const Vector exp = BoundedExp(Tag(), hn::Mul(away, Number(-2)));
  const Vector one = Number(1);
  const Vector far = hn::Mul(hn::Sub(one, exp), Reciprocal(hn::Add(one, exp)));
  const Vector near = hn::MulAdd(hn::Mul(x, square), Polynomial(kNear, square), x);
  return hn::IfThenElse(hn::Lt(away, Number(kFarFrom)), near, hn::CopySign(far, x));
}

/// `fast` where all numbers are small enough for it, else `exact`.
template <class Fast>
HWY_INLINE Vector OfAngle(Vector x, const Fast& fast, float (*exact)(float)) {
  // Highway reduces angles up to this one.
  constexpr float kMost = 39000;
  if (hn::AllTrue(Tag(), hn::Lt(hn::Abs(x), Number(kMost)))) return fast(x);
  HWY_ALIGN float numbers[hn::MaxLanes(Tag())];
  hn::Store(x, Tag(), numbers);
  for (std::size_t i = 0; i < hn::Lanes(Tag()); ++i) numbers[i] = exact(numbers[i]);
  return hn::Load(Tag(), numbers);
}

HWY_INLINE Vector HardSigmoid(Vector x, Vector alpha, Vector beta) {
  return hn::Clamp(hn::MulAdd(alpha, x, beta), hn::Zero(Tag()), Number(1));
}

HWY_INLINE Vector Sin(Vector x) {
  return OfAngle(
      x, [](Vector angle) HWY_ATTR { return hn::Sin(Tag(), angle); }, std::sin);
}
HWY_INLINE Vector Cos(Vector x) {
  return OfAngle(
      x, [](Vector angle) HWY_ATTR { return hn::Cos(Tag(), angle); }, std::cos);
}

template <Curve curve>
HWY_INLINE Vector Apply(Vector x, Vector alpha, Vector beta) {
  if constexpr (curve == Curve::kSigmoid) return Sigmoid(x);
  if constexpr (curve == Curve::kTanh) return Tanh(x);
  if constexpr (curve == Curve::kElu) return Elu(x, alpha);
  if constexpr (curve == Curve::kSelu) return hn::Mul(beta, Elu(x, alpha));
  if constexpr (curve == Curve::kCelu) return Celu(x, alpha);
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
  if constexpr (curve == Curve::kExp) return Exp(x);
  if constexpr (curve == Curve::kLog) return Log(x);
  if constexpr (curve == Curve::kErf) return Erf(x);
  if constexpr (curve == Curve::kGelu) return Gelu(x);
  if constexpr (curve == Curve::kGeluTanh) return GeluTanh(x);
  if constexpr (curve == Curve::kSin) return Sin(x);
  if constexpr (curve == Curve::kCos) return Cos(x);
  if constexpr (curve == Curve::kAtan) return hn::Atan(Tag(), x);
  if constexpr (curve == Curve::kSqrt) return hn::Sqrt(x);
  if constexpr (curve == Curve::kFloor) return hn::Floor(x);
  if constexpr (curve == Curve::kCeil) return hn::Ceil(x);
  if constexpr (curve == Curve::kRound) return hn::Round(x);
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
    case Curve::kCelu:
      return RunAll<Curve::kCelu>(f, x, y, count);
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
    case Curve::kExp:
      return RunAll<Curve::kExp>(f, x, y, count);
    case Curve::kLog:
      return RunAll<Curve::kLog>(f, x, y, count);
    case Curve::kErf:
      return RunAll<Curve::kErf>(f, x, y, count);
    case Curve::kGelu:
      return RunAll<Curve::kGelu>(f, x, y, count);
    case Curve::kGeluTanh:
      return RunAll<Curve::kGeluTanh>(f, x, y, count);
    case Curve::kSin:
      return RunAll<Curve::kSin>(f, x, y, count);
    case Curve::kCos:
      return RunAll<Curve::kCos>(f, x, y, count);
    case Curve::kAtan:
      return RunAll<Curve::kAtan>(f, x, y, count);
    case Curve::kSqrt:
      return RunAll<Curve::kSqrt>(f, x, y, count);
    case Curve::kFloor:
      return RunAll<Curve::kFloor>(f, x, y, count);
    case Curve::kCeil:
      return RunAll<Curve::kCeil>(f, x, y, count);
    case Curve::kRound:
      return RunAll<Curve::kRound>(f, x, y, count);
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
