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
Vector KeepNan(Vector x, Vector y) { return hn::IfThenElse(hn::IsNaN(x), x, y); }

Vector Sigmoid(Vector x) {
  const Tag tag;
  const Vector one = hn::Set(tag, 1.0F);
  // Beyond this the result is 0 in float.
  const Vector exponent = hn::Min(hn::Set(tag, 88.0F), hn::Neg(x));
  return KeepNan(x, hn::Div(one, hn::Add(one, hn::Exp(tag, exponent))));
}

Vector Tanh(Vector x) { return KeepNan(x, hn::Tanh(Tag(), x)); }

Vector Clipped(Vector x, float clip) {
  const Tag tag;
  if (clip < 0) return x;
  return KeepNan(x, hn::Clamp(x, hn::Set(tag, -clip), hn::Set(tag, clip)));
}

template <int kRows, int kVectors>
HWY_INLINE void Tile(const RowProduct& p, std::int64_t row, std::int64_t column) {
  const Tag tag;
  Vector sums[kRows][kVectors];
  float* y = p.y + row * p.y_stride + column;
  const float* h = p.h + row * p.h_stride;
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[i][v] = hn::LoadU(tag, y + i * p.y_stride + v * kLanes);
  }
  for (std::int64_t k = 0; k < p.depth; ++k) {
    const float* w = p.w + k * p.w_stride + column;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Vector weights = hn::LoadU(tag, w + v * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        sums[i][v] = hn::MulAdd(hn::Set(tag, h[i * p.h_stride + k]), weights, sums[i][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[i][v], tag, y + i * p.y_stride + v * kLanes);
  }
}

/// All columns of `kRows` rows, as many vectors at once as there are registers for.
template <int kRows, int kVectors>
void Strip(const RowProduct& p, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + kVectors * kLanes <= p.width; column += kVectors * kLanes) {
    Tile<kRows, kVectors>(p, row, column);
  }
  for (; column < p.width; column += kLanes) Tile<kRows, 1>(p, row, column);
}

void AddRowProduct(const RowProduct& p) {
  std::int64_t row = 0;
  for (; row + 4 <= p.rows; row += 4) Strip<4, 2>(p, row);
  for (; row < p.rows; ++row) Strip<1, 8>(p, row);
}

void RnnCell(const float* sums, bool relu, float clip, float* h, std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    const Vector x = Clipped(hn::LoadU(tag, sums + j), clip);
    const Vector zero = hn::Zero(tag);
    hn::StoreU(relu ? hn::IfThenElse(hn::Lt(x, zero), zero, x) : Tanh(x), tag, h + j);
  }
}

void LstmCell(const float* sums, const float* peepholes, float clip, float* c, float* h,
              std::int64_t width) {
  const Tag tag;
  for (std::int64_t j = 0; j < width; j += kLanes) {
    const Vector cell = hn::LoadU(tag, c + j);
    const auto gate = [&](std::int64_t which, Vector seen) HWY_ATTR {
      Vector sum = hn::LoadU(tag, sums + which * width + j);
      if (peepholes != nullptr) {
        sum = hn::MulAdd(hn::LoadU(tag, peepholes + which * width + j), seen, sum);
      }
      return Sigmoid(Clipped(sum, clip));
    };
    const Vector candidate = Tanh(Clipped(hn::LoadU(tag, sums + 3 * width + j), clip));
    const Vector next = hn::MulAdd(gate(2, cell), cell, hn::Mul(gate(0, cell), candidate));
    hn::StoreU(next, tag, c + j);
    hn::StoreU(hn::Mul(gate(1, next), Tanh(next)), tag, h + j);
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

HWY_EXPORT(AddRowProduct);
HWY_EXPORT(RnnCell);
HWY_EXPORT(LstmCell);
HWY_EXPORT(GruGates);
HWY_EXPORT(GruReset);
HWY_EXPORT(GruCell);

void AddRowProduct(const RowProduct& product) { HWY_DYNAMIC_DISPATCH(AddRowProduct)(product); }

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
