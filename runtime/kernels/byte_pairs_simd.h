// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/quantize_simd.h"

/// Sums and products of the real numbers that bytes stand for, with the widest vectors this
/// machine has. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// A row of quantised elements: (element - zero) * scale each.
struct QuantisedRow {
  const void* elements;  ///< int8 or uint8
  std::int64_t step;     ///< 1, or 0: the first of them again and again
  bool is_signed;
  double scale, zero;
};

/// `to`: `count` sums of a and b, computed in float64 and rounded to float32 once.
void AddQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count);
/// The same of products.
void MultiplyQuantised(const QuantisedRow& a, const QuantisedRow& b, float* to, std::int64_t count);

/// The same as QuantizeToBytes makes them bytes, `scale` and all.
void AddToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                std::uint8_t* to, std::int64_t count);
void MultiplyToBytes(const QuantisedRow& a, const QuantisedRow& b, const ByteScale& scale,
                     std::uint8_t* to, std::int64_t count);

}  // namespace slipway::runtime
