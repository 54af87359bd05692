// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

/// Sums of products of bytes as bytes, with the widest vectors this machine has: the same numbers
/// as QuantizeOne gives in double. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// A sum stands for (sum + added) * scale, rounded, and `zero` more, within `least` and `most`.
struct SumScale {
  const double *scales, *added;  ///< numbers, finite
  std::int64_t step;             ///< 1: one for each sum; 0: one for all
  double zero, least, most;      ///< whole numbers; these two a byte's
};
void SumsToBytes(std::span<const std::int32_t> sums, const SumScale& scale, std::int8_t* y);
void SumsToBytes(std::span<const std::int32_t> sums, const SumScale& scale, std::uint8_t* y);

}  // namespace slipway::runtime
