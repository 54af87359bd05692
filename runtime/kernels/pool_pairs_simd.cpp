// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/pool_pairs_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/pool_pairs_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
// Rows of a few columns fill vectors of this size.
using Tag = hn::CappedTag<float, 8>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

template <bool average>
HWY_INLINE Vector Join(Vector result, Vector number) {
  if constexpr (average) {
    return hn::Add(result, number);
  } else {
    return hn::IfThenElse(hn::Gt(number, result), number, result);
  }
}

/// The kLanes windows from `column` on, all of them of two columns.
template <bool average>
HWY_INLINE void Inner(const PoolPairs& p, const PoolSpan& row, std::int64_t column, const float* x,
                      float* y) {
  const Tag tag;
  const PoolSpan& span = p.columns[static_cast<std::size_t>(column)];
  const float* line = x + row.first * p.in_width + span.first;
  Vector left, right;
  hn::LoadInterleaved2(tag, line, left, right);
  Vector result = Join<average>(left, right);
  for (std::int64_t i = 1; i < row.size; ++i) {
    line += p.in_width;
    hn::LoadInterleaved2(tag, line, left, right);
    result = Join<average>(Join<average>(result, left), right);
  }
  if constexpr (average) result = hn::Div(result, hn::Set(tag, row.count * span.count));
  hn::StoreU(result, tag, y + column);
}

template <bool average>
void Outer(const PoolPairs& p, const PoolSpan& row, std::int64_t column, const float* x, float* y) {
  const PoolSpan& span = p.columns[static_cast<std::size_t>(column)];
  const float* line = x + row.first * p.in_width + span.first;
  float result = average ? 0 : *line;
  for (std::int64_t i = 0; i < row.size; ++i, line += p.in_width) {
    for (std::int64_t j = 0; j < span.size; ++j) {
      result = average ? result + line[j] : line[j] > result ? line[j] : result;
    }
  }
  y[column] = average ? result / (row.count * span.count) : result;
}

template <bool average>
void Plane(const PoolPairs& p, const float* x, float* y) {
  const auto width = static_cast<std::int64_t>(p.columns.size());
  const std::int64_t inner_end = p.inner_end - p.inner < kLanes ? p.inner : p.inner_end;
  for (const PoolSpan& row : p.rows) {
    for (std::int64_t j = 0; j < p.inner; ++j) Outer<average>(p, row, j, x, y);
    for (std::int64_t j = p.inner; j < inner_end; j += kLanes) {
      Inner<average>(p, row, std::min(j, inner_end - kLanes), x, y);
    }
    for (std::int64_t j = inner_end; j < width; ++j) Outer<average>(p, row, j, x, y);
    y += width;
  }
}

void RunPoolPairs(const PoolPairs& p, const float* x, float* y) {
  p.average ? Plane<true>(p, x, y) : Plane<false>(p, x, y);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunPoolPairs);

void RunPoolPairs(const PoolPairs& pool, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(RunPoolPairs)(pool, x, y);
}

}  // namespace slipway::runtime
#endif
