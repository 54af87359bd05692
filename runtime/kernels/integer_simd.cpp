// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/integer_simd.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/integer_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

void Multiply(const IntegerProduct& p) {
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const std::int16_t* a = p.a + row * 2 * p.pairs;
    std::int32_t* y = p.y + row * p.columns;
    for (std::int64_t j = 0; j < p.columns; ++j) {
      std::uint32_t sum = 0;
      for (std::int64_t k = 0; k < 2 * p.pairs; ++k) {
        sum += static_cast<std::uint32_t>(a[k] * p.b[(k / 2 * p.columns + j) * 2 + k % 2]);
      }
      y[j] = static_cast<std::int32_t>(sum);
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using Sums = hn::CappedTag<std::int32_t, kIntegerPad>;
using Pairs = hn::Repartition<std::int16_t, Sums>;

constexpr std::int64_t kLanes = hn::MaxLanes(Sums());

/// Numbers 2 * `pair` and the next of a row, in every lane.
HWY_INLINE hn::Vec<Pairs> Both(const std::int16_t* row, std::int64_t pair) {
  std::int32_t both = 0;
  std::memcpy(&both, row + 2 * pair, sizeof(both));
  return hn::BitCast(Pairs(), hn::Set(Sums(), both));
}

template <int kRows, int kVectors>
HWY_INLINE void Tile(const IntegerProduct& p, std::int64_t row, std::int64_t column) {
  const Sums tag;
  const Pairs pairs;
  hn::Vec<Sums> sums[kRows][kVectors];
#pragma GCC unroll 8
  for (std::int64_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (std::int64_t v = 0; v < kVectors; ++v) sums[i][v] = hn::Zero(tag);
  }
  const std::int16_t* a = p.a + row * 2 * p.pairs;
  for (std::int64_t k = 0; k < p.pairs; ++k) {
    const std::int16_t* b = p.b + 2 * (k * p.columns + column);
#pragma GCC unroll 8
    for (std::int64_t v = 0; v < kVectors; ++v) {
      const auto weights = hn::LoadU(pairs, b + 2 * v * kLanes);
#pragma GCC unroll 8
      for (std::int64_t i = 0; i < kRows; ++i) {
        auto rest = hn::Zero(tag);  // stays so on processors that add neighbours
        sums[i][v] = hn::ReorderWidenMulAccumulate(tag, Both(a + i * 2 * p.pairs, k), weights,
                                                   sums[i][v], rest);
      }
    }
  }
#pragma GCC unroll 8
  for (std::int64_t i = 0; i < kRows; ++i) {
    std::int32_t* y = p.y + (row + i) * p.columns + column;
#pragma GCC unroll 8
    for (std::int64_t v = 0; v < kVectors; ++v) hn::StoreU(sums[i][v], tag, y + v * kLanes);
  }
}

template <int kRows, int kVectors>
void Strip(const IntegerProduct& p, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + kVectors * kLanes <= p.columns; column += kVectors * kLanes) {
    Tile<kRows, kVectors>(p, row, column);
  }
  for (; column < p.columns; column += kLanes) Tile<kRows, 1>(p, row, column);
}

void Multiply(const IntegerProduct& p) {
  std::int64_t row = 0;
  for (; row + 4 <= p.rows; row += 4) Strip<4, 2>(p, row);
  for (; row < p.rows; ++row) Strip<1, 4>(p, row);
}

#endif

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(Multiply);

void Multiply(const IntegerProduct& product) { HWY_DYNAMIC_DISPATCH(Multiply)(product); }

}  // namespace slipway::runtime
#endif
