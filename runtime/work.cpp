// SPDX-License-Identifier: Apache-2.0
#include "runtime/work.h"

#include <algorithm>
#include <cmath>

namespace slipway::runtime {
namespace {

/// Of a core that has vectors of 512, of 256 or of 128 bits.
constexpr double kWideWork = 1.2e9;
constexpr double kWork = 6e8;
constexpr double kNarrowWork = 1e8;

}  // namespace

double WorkAtOnce(int threads) {
  const bool wide = __builtin_cpu_supports("avx512f") != 0;
  const bool vectors = __builtin_cpu_supports("avx2") != 0;
  return (wide ? kWideWork : vectors ? kWork : kNarrowWork) * std::max(1, threads);
}

std::int64_t StepsWithin(std::int64_t count, double work, double most) {
  const double fit = most / std::max(1.0, work);
  if (fit >= static_cast<double>(count)) return std::max<std::int64_t>(1, count);
  const auto parts = static_cast<std::int64_t>(std::ceil(static_cast<double>(count) / fit));
  return std::max<std::int64_t>(1, (count + parts - 1) / parts);
}

}  // namespace slipway::runtime
