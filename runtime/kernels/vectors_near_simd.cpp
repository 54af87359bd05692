// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/vectors_near_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/vectors_near_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<double, kNearPad>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

/// Beyond the largest of these the result is no finite number. What is no number stays so.
Vector Exp(Vector x) {
  const Tag tag;
  const Vector y = hn::Exp(tag, hn::Min(hn::Set(tag, 720.0), x));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

void Products(const VectorColumns& vectors, const double* x, double* near) {
  const Tag tag;
  for (std::int64_t v = 0; v < vectors.count; v += kLanes) {
    const double* column = vectors.columns + v;
    Vector sum = hn::Zero(tag);
    for (std::int64_t f = 0; f < vectors.features; ++f, column += vectors.count) {
      sum = hn::MulAdd(hn::Set(tag, x[f]), hn::LoadU(tag, column), sum);
    }
    hn::StoreU(sum, tag, near + v);
  }
}

void RadialBasis(const VectorColumns& vectors, const double* x, double factor, double* near) {
  const Tag tag;
  for (std::int64_t v = 0; v < vectors.count; v += kLanes) {
    const double* column = vectors.columns + v;
    Vector sum = hn::Zero(tag);
    for (std::int64_t f = 0; f < vectors.features; ++f, column += vectors.count) {
      const Vector far = hn::Sub(hn::Set(tag, x[f]), hn::LoadU(tag, column));
      sum = hn::MulAdd(far, far, sum);
    }
    hn::StoreU(Exp(hn::Mul(hn::Set(tag, factor), sum)), tag, near + v);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(Products);
HWY_EXPORT(RadialBasis);

void Products(const VectorColumns& vectors, const double* x, double* near) {
  HWY_DYNAMIC_DISPATCH(Products)(vectors, x, near);
}

void RadialBasis(const VectorColumns& vectors, const double* x, double factor, double* near) {
  HWY_DYNAMIC_DISPATCH(RadialBasis)(vectors, x, factor, near);
}

}  // namespace slipway::runtime
#endif
