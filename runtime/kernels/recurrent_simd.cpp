// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/recurrent_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/recurrent_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kRecurrentPad>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

/// What is no number stays so.
HWY_INLINE Vector KeepNan(Vector x, Vector y) { return hn::IfThenElse(hn::IsNaN(x), x, y); }

HWY_INLINE Vector Sigmoid(Vector x) {
  const Tag tag;
  const Vector one = hn::Set(tag, 1.0F);
  // Beyond this the result is 0 in float.
  const Vector exponent = hn::Min(hn::Set(tag, 88.0F), hn::Neg(x));
  return KeepNan(x, hn::Div(one, hn::Add(one, hn::Exp(tag, exponent))));
}

HWY_INLINE Vector Tanh(Vector x) { return KeepNan(x, hn::Tanh(Tag(), x)); }

HWY_INLINE Vector Clipped(Vector x, float clip) {
  const Tag tag;
  if (clip < 0) return x;
  return KeepNan(x, hn::Clamp(x, hn::Set(tag, -clip), hn::Set(tag, clip)));
}

void RnnCell(const float* sums, bool relu, float clip, float* h, std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    const Vector x = Clipped(hn::LoadU(tag, sums + j), clip);
    const Vector zero = hn::Zero(tag);
    hn::StoreU(relu ? hn::IfThenElse(hn::Lt(x, zero), zero, x) : Tanh(x), tag, h + j);
  }
}

/// The cell and output of some hidden units.
template <bool has_peepholes>
HWY_INLINE void LstmUnits(const float* sums, const float* peepholes, float clip, float* c, float* h,
                          std::int64_t width) {
  const Tag tag;
  const Vector cell = hn::LoadU(tag, c);
  Vector in = hn::LoadU(tag, sums), out = hn::LoadU(tag, sums + width);
  Vector forget = hn::LoadU(tag, sums + 2 * width);
  if (has_peepholes) {
    in = hn::MulAdd(hn::LoadU(tag, peepholes), cell, in);
    forget = hn::MulAdd(hn::LoadU(tag, peepholes + 2 * width), cell, forget);
  }
  const Vector candidate = Tanh(Clipped(hn::LoadU(tag, sums + 3 * width), clip));
  const Vector kept = hn::Mul(Sigmoid(Clipped(forget, clip)), cell);
  const Vector next = hn::MulAdd(Sigmoid(Clipped(in, clip)), candidate, kept);
  if (has_peepholes) out = hn::MulAdd(hn::LoadU(tag, peepholes + width), next, out);
  hn::StoreU(next, tag, c);
  hn::StoreU(hn::Mul(Sigmoid(Clipped(out, clip)), Tanh(next)), tag, h);
}

void LstmCell(const float* sums, const float* peepholes, float clip, float* c, float* h,
              std::int64_t width) {
  for (std::int64_t j = 0; j < width; j += kLanes) {
    if (peepholes == nullptr) {
      LstmUnits<false>(sums + j, nullptr, clip, c + j, h + j, width);
    } else {
      LstmUnits<true>(sums + j, peepholes + j, clip, c + j, h + j, width);
    }
  }
}

void GruGates(float* sums, float clip, std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < 2 * width; j += kLanes) {
    hn::StoreU(Sigmoid(Clipped(hn::LoadU(tag, sums + j), clip)), tag, sums + j);
  }
}

void GruReset(const float* r, const float* h, float* scaled, std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(tag, r + j), hn::LoadU(tag, h + j)), tag, scaled + j);
  }
}

void GruCell(const GruStep& s, std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    Vector recurrent = hn::LoadU(tag, s.recurrent + j);
    if (s.r != nullptr) recurrent = hn::Mul(recurrent, hn::LoadU(tag, s.r + j));
    const Vector sum = hn::Add(hn::LoadU(tag, s.input + j), recurrent);
    const Vector candidate = Tanh(Clipped(sum, s.clip));
    const Vector z = hn::LoadU(tag, s.z + j);
    const Vector rest = hn::Sub(hn::Set(tag, 1.0F), z);
    const Vector kept = hn::Mul(z, hn::LoadU(tag, s.h + j));
    hn::StoreU(hn::MulAdd(rest, candidate, kept), tag, s.h + j);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RnnCell);
HWY_EXPORT(LstmCell);
HWY_EXPORT(GruGates);
HWY_EXPORT(GruReset);
HWY_EXPORT(GruCell);

void RnnCell(const float* sums, bool relu, float clip, float* h, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(RnnCell)(sums, relu, clip, h, width);
}

void LstmCell(const float* sums, const float* peepholes, float clip, float* c, float* h,
              std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(LstmCell)(sums, peepholes, clip, c, h, width);
}

void GruGates(float* sums, float clip, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(GruGates)(sums, clip, width);
}

void GruReset(const float* r, const float* h, float* scaled, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(GruReset)(r, h, scaled, width);
}

void GruCell(const GruStep& step, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(GruCell)(step, width);
}

}  // namespace slipway::runtime
#endif
