// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "runtime/bounds.h"
#include "runtime/kernels/exp_sums_simd.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce.h"
#include "runtime/kernels/reduce_simd.h"

/// Reductions of float32 in vectors.
namespace slipway::runtime {

/// What a reduction accumulates: SumOf, MeanOf, LogSumOf a sum.
template <class F>
inline constexpr auto kAccumulates = Total::kSum;
template <>
inline constexpr auto kAccumulates<L1Of> = Total::kSumOfSizes;
template <>
inline constexpr auto kAccumulates<L2Of> = Total::kSumOfSquares;
template <>
inline constexpr auto kAccumulates<SumSquareOf> = Total::kSumOfSquares;
template <>
inline constexpr auto kAccumulates<ProductOf> = Total::kProduct;
template <>
inline constexpr auto kAccumulates<MaxOf> = Extreme::kMax;
template <>
inline constexpr auto kAccumulates<MinOf> = Extreme::kMin;

namespace reducing {

inline constexpr std::int64_t kAtOnce = 256;      ///< results
inline constexpr std::int64_t kWorth = 16 << 10;  ///< elements that are worth a piece of their own

inline std::int64_t Grain(std::int64_t elements) {
  return std::max<std::int64_t>(1, kWorth / std::max<std::int64_t>(elements, 1));
}

/// How many columns to take together, so that every thread has some.
inline std::int64_t WidthOf(const ReducedBox& box, int threads) {
  constexpr std::int64_t kLine = 16;
  const std::int64_t share = box.outer * box.inner / threads;
  return std::min(box.inner, std::clamp(share / kLine * kLine, kLine, kAtOnce));
}

/// Elements of a row that are worth a call.
inline constexpr std::int64_t kLeastInARow = 16;

template <class F>
struct Pieces {
  using A = decltype(F::template Start<float>());

  static void Rows(const float* x, std::int64_t rows, std::int64_t count, float* y) {
    if (count < kLeastInARow) {
      for (std::int64_t r = 0; r < rows; ++r) y[r] = ReduceRow<F>(x + r * count, count);
      return;
    }
    std::array<A, kAtOnce> results;
    ResultsOfRows(kAccumulates<F>, x, rows, count, results.data());
    Finish(results, rows, count, y);
  }

  static void Columns(const ColumnsOf& from, float* y) {
    std::array<A, kAtOnce> results;
    ResultsOfColumns(kAccumulates<F>, from, results.data());
    Finish(results, from.columns, from.count, y);
  }

 private:
  static void Finish(const std::array<A, kAtOnce>& results, std::int64_t size, std::int64_t count,
                     float* y) {
    for (std::int64_t i = 0; i < size; ++i) {
      y[i] = static_cast<float>(F::Finish(results[At(i)], count));
    }
  }
};

template <>
struct Pieces<LogSumExpOf> {
  static void Rows(const float* x, std::int64_t rows, std::int64_t count, float* y) {
    ResultsOfRows(Extreme::kMax, x, rows, count, y);
    for (std::int64_t r = 0; r < rows; ++r) {
      y[r] = Finish(y[r], ExpSumOfRow(x + r * count, count, y[r]));
    }
  }

  static void Columns(const ColumnsOf& from, float* y) {
    ResultsOfColumns(Extreme::kMax, from, y);
    std::array<double, kAtOnce> sums;
    ExpSumsOfColumns(from, y, sums.data());
    for (std::int64_t c = 0; c < from.columns; ++c) y[c] = Finish(y[c], sums[At(c)]);
  }

 private:
  static float Finish(float largest, double sum) {
    if (!std::isfinite(largest)) return largest;
    return static_cast<float>(std::log(sum) + static_cast<double>(largest));
  }
};

}  // namespace reducing

/// y: [outer, inner]; x as `box` says. The same bits for any number of threads.
template <class F>
void ReduceFloats(KernelContext& context, const ReducedBox& box, const float* x, float* y) {
  using Pieces = reducing::Pieces<F>;
  if (box.inner == 1) {
    const auto rows = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end && !MustStop(); r += reducing::kAtOnce) {
        Pieces::Rows(x + r * box.count, std::min(reducing::kAtOnce, end - r), box.count, y + r);
      }
    };
    context.ParallelFor(box.outer, reducing::Grain(box.count), rows);
    return;
  }
  if (box.inner == 0) return;
  const std::int64_t width = reducing::WidthOf(box, context.threads());
  const std::int64_t blocks = (box.inner + width - 1) / width;
  const auto columns = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
      const std::int64_t plane = i / blocks, column = i % blocks * width;
      Pieces::Columns({.x = x + plane * box.count * box.inner + column,
                       .count = box.count,
                       .step = box.inner,
                       .columns = std::min(width, box.inner - column)},
                      y + plane * box.inner + column);
    }
  };
  context.ParallelFor(box.outer * blocks, reducing::Grain(box.count * width), columns);
}

}  // namespace slipway::runtime
