// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace slipway::runtime {

/// `d` as a float with the last bit set where it is inexact, so that a second rounding to fewer
/// bits gives what one rounding of `d` would.
inline float RoundToOdd(double d) {
  const float f = static_cast<float>(d);
  const auto bits = std::bit_cast<std::uint32_t>(f);
  if (std::isnan(d) || static_cast<double>(f) == d || (bits & 1U) != 0) return f;
  return std::bit_cast<float>(std::abs(static_cast<double>(f)) > std::abs(d) ? bits - 1 : bits + 1);
}

/// An IEEE 754 binary16 number; arithmetic happens in float.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  /// Rounds to nearest, ties to even.
  Float16(float value) : bits(FromFloat(value)) {}
  explicit Float16(double value) : bits(FromFloat(RoundToOdd(value))) {}
  operator float() const {
    const std::uint32_t shifted = (bits & 0x7fffU) << 13;
    const std::uint32_t exponent = shifted & 0x0f800000U;
    std::uint32_t out = shifted + 0x38000000U;
    if (exponent == 0x0f800000U) out += 0x38000000U;
    if (exponent == 0) {
      const float tiny =
          std::bit_cast<float>(out + 0x00800000U) - std::bit_cast<float>(0x38800000U);
      out = std::bit_cast<std::uint32_t>(tiny);
    }
    return std::bit_cast<float>(out | (bits & 0x8000U) << 16);
  }
  static Float16 FromBits(std::uint16_t b) {
    Float16 h;
    h.bits = b;
    return h;
  }

 private:
  static std::uint16_t FromFloat(float value) {
    std::uint32_t x = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = x & 0x80000000U;
    x ^= sign;
    std::uint32_t out = 0;
    if (x >= 0x47800000U) {
      out = x > 0x7f800000U ? 0x7e00U : 0x7c00U;
    } else if (x < 0x38800000U) {
      out = std::bit_cast<std::uint32_t>(std::bit_cast<float>(x) + 0.5F) - 0x3f000000U;
    } else {
      out = (x + 0xc8000fffU + ((x >> 13) & 1U)) >> 13;
    }
    return static_cast<std::uint16_t>(out | sign >> 16);
  }
};

/// The upper half of a binary32 number; arithmetic happens in float.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  /// Rounds to nearest, ties to even.
  BFloat16(float value) : bits(FromFloat(value)) {}
  explicit BFloat16(double value) : bits(FromFloat(RoundToOdd(value))) {}
  operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  static BFloat16 FromBits(std::uint16_t b) {
    BFloat16 h;
    h.bits = b;
    return h;
  }

 private:
  static std::uint16_t FromFloat(float value) {
    const auto x = std::bit_cast<std::uint32_t>(value);
    if ((x & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(x >> 16 | 0x40U);
    return static_cast<std::uint16_t>((x + 0x7fffU + ((x >> 16) & 1U)) >> 16);
  }
};

}  // namespace slipway::runtime
