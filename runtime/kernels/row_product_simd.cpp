// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/row_product_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/row_product_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kRowPad>;
using Vector = hn::Vec<Tag>;

constexpr std::int64_t kLanes = hn::MaxLanes(Tag());

/// Adds each row's number at `x` times the vectors at `w`.
template <int kRows, int kVectors>
HWY_INLINE void AddDepth(const RowProduct& p, const float* w, const float* x,
                         Vector (&sums)[kRows][kVectors]) {
  const Tag tag;
  Vector weights[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) weights[v] = hn::LoadU(tag, w + v * kLanes);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    const Vector factor = hn::Set(tag, x[i * p.x_stride]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[i][v] = hn::MulAdd(factor, weights[v], sums[i][v]);
  }
}

/// Rows of the matrix that are summed before the sum is added to others: so rounding errors grow
/// with these and with their number, not with both.
constexpr std::int64_t kDepthAtOnce = 64;

/// Some columns of one panel, whose rows lie `stride` apart, for a part of the depth. Each sum is
/// of `kDeep` sums, so that one need not wait for another.
template <int kRows, int kVectors, int kDeep>
HWY_INLINE void Tile(const RowProduct& p, const float* w, std::int64_t stride, const float* x,
                     std::int64_t depth, float* y) {
  const Tag tag;
  Vector sums[kDeep][kRows][kVectors];
#pragma GCC unroll 8
  for (int d = 0; d < kDeep; ++d) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[d][i][v] = hn::Zero(tag);
    }
  }
  std::int64_t k = 0;
  for (; k + kDeep <= depth; k += kDeep) {
#pragma GCC unroll 8
    for (int d = 0; d < kDeep; ++d) AddDepth(p, w + (k + d) * stride, x + k + d, sums[d]);
  }
  for (; k < depth; ++k) AddDepth(p, w + k * stride, x + k, sums[0]);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      Vector sum = sums[0][i][v];
#pragma GCC unroll 8
      for (int d = 1; d < kDeep; ++d) sum = hn::Add(sum, sums[d][i][v]);
      float* const to = y + i * p.y_stride + v * kLanes;
      hn::StoreU(hn::Add(hn::LoadU(tag, to), sum), tag, to);
    }
  }
}

/// All columns of a panel for `kRows` rows, as many vectors at once as there are registers for.
template <int kRows, int kVectors, int kDeep = 1>
void Strip(const RowProduct& p, const float* panel, std::int64_t columns, const float* x,
           float* y) {
  for (std::int64_t k = 0; k < p.depth; k += kDepthAtOnce) {
    const std::int64_t depth = std::min(kDepthAtOnce, p.depth - k);
    const float* const w = panel + k * columns;
    std::int64_t column = 0;
    for (; column + kVectors * kLanes <= columns; column += kVectors * kLanes) {
      Tile<kRows, kVectors, kDeep>(p, w + column, columns, x + k, depth, y + column);
    }
    for (; column < columns; column += kLanes) {
      Tile<kRows, 1, kRows == 1 ? 4 : 1>(p, w + column, columns, x + k, depth, y + column);
    }
  }
}

void AddRowProduct(const RowProduct& p) {
  constexpr bool kWide = kLanes >= 16;
  for (std::int64_t first = 0; first < p.width; first += kPanelColumns) {
    const std::int64_t columns = std::min(kPanelColumns, p.width - first);
    const float* panel = p.w + first * p.depth;
    const float* x = p.x;
    float* y = p.y + first;
    std::int64_t left = p.rows;
    for (; kWide && left >= 8; left -= 8) {
      Strip<8, 2>(p, panel, columns, x, y);
      x += 8 * p.x_stride;
      y += 8 * p.y_stride;
    }
    for (; left >= 4; left -= 4) {
      Strip<4, kWide ? 4 : 2>(p, panel, columns, x, y);
      x += 4 * p.x_stride;
      y += 4 * p.y_stride;
    }
    if (left == 3) Strip<3, kWide ? 4 : 2>(p, panel, columns, x, y);
    if (left == 2) Strip<2, 4>(p, panel, columns, x, y);
    if (left == 1) Strip<1, kWide ? 4 : 8, kWide ? 2 : 1>(p, panel, columns, x, y);
  }
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(AddRowProduct);

void AddRowProduct(const RowProduct& product) { HWY_DYNAMIC_DISPATCH(AddRowProduct)(product); }

}  // namespace slipway::runtime
#endif
