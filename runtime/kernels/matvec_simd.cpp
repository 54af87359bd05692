// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/matvec_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/matvec_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());
/// Rows of a matrix that are added to the sums at once, so that these are seldom read and written.
constexpr int kDeep = 8;

/// Each row has two sums, so that one need not wait for the other.
template <int rows>
HWY_INLINE void Dots(const float* x, const float* w, std::int64_t depth, float* y) {
  const Tag tag;
  Vector even[rows], odd[rows];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) even[i] = odd[i] = hn::Zero(tag);
  std::int64_t k = 0;
  for (; k + 2 * kLanes <= depth; k += 2 * kLanes) {
    const Vector first = hn::LoadU(tag, x + k);
    const Vector second = hn::LoadU(tag, x + k + kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      even[i] = hn::MulAdd(first, hn::LoadU(tag, w + i * depth + k), even[i]);
      odd[i] = hn::MulAdd(second, hn::LoadU(tag, w + i * depth + k + kLanes), odd[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
    float sum = hn::GetLane(hn::SumOfLanes(tag, hn::Add(even[i], odd[i])));
    for (std::int64_t rest = k; rest < depth; ++rest) sum += x[rest] * w[i * depth + rest];
    y[i] = sum;
  }
}

void TimesRows(const float* x, const float* w, std::int64_t depth, std::int64_t begin,
               std::int64_t end, float* y) {
  std::int64_t j = begin;
  for (; j + 4 <= end; j += 4) Dots<4>(x, w + j * depth, depth, y + j);
  for (; j < end; ++j) Dots<1>(x, w + j * depth, depth, y + j);
}

/// Adds `rows` rows of the matrix, each times its number.
template <int rows>
HWY_INLINE void AddRows(const float* x, const float* w, std::int64_t width, std::int64_t count,
                        float* y) {
  const Tag tag;
  Vector factors[rows];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) factors[i] = hn::Set(tag, x[i]);
  std::int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    Vector sum = hn::LoadU(tag, y + j);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      sum = hn::MulAdd(factors[i], hn::LoadU(tag, w + i * width + j), sum);
    }
    hn::StoreU(sum, tag, y + j);
  }
  for (; j < count; ++j) {
    for (int i = 0; i < rows; ++i) y[j] += x[i] * w[i * width + j];
  }
}

void TimesColumns(const float* x, const float* w, std::int64_t depth, std::int64_t width,
                  std::int64_t begin, std::int64_t end, float* y) {
  std::fill(y + begin, y + end, 0.0F);
  std::int64_t k = 0;
  for (; k + kDeep <= depth; k += kDeep) {
    AddRows<kDeep>(x + k, w + k * width + begin, width, end - begin, y + begin);
  }
  for (; k < depth; ++k) AddRows<1>(x + k, w + k * width + begin, width, end - begin, y + begin);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(TimesRows);
HWY_EXPORT(TimesColumns);

void TimesRows(const float* x, const float* w, std::int64_t depth, std::int64_t begin,
               std::int64_t end, float* y) {
  HWY_DYNAMIC_DISPATCH(TimesRows)(x, w, depth, begin, end, y);
}

void TimesColumns(const float* x, const float* w, std::int64_t depth, std::int64_t width,
                  std::int64_t begin, std::int64_t end, float* y) {
  HWY_DYNAMIC_DISPATCH(TimesColumns)(x, w, depth, width, begin, end, y);
}

}  // namespace slipway::runtime
#endif
