// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

/// Linear quantisation of float32 with the widest vectors this machine has: the same numbers as
/// QuantizeOne gives of a quotient in float. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Whole numbers from `zero` on, within `least` and `most`: those of a byte, or of 16 bits.
struct ByteScale {
  float scale;
  std::int32_t zero, least, most;
};
/// `y`: int8 or uint8, as many as `x`.
void QuantizeToBytes(std::span<const float> x, const ByteScale& scale, void* y);
/// `y`: int16 or uint16.
void QuantizeToWords(std::span<const float> x, const ByteScale& scale, void* y);

struct FloatRange {
  float least = 0, most = 0;
};
/// Least and largest of 0 and the elements; what is no number does not count.
FloatRange RangeWithZero(std::span<const float> x);

}  // namespace slipway::runtime
