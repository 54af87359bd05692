// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/small_float.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace slipway::server {
namespace {

struct Format {
  int fraction_bits;
  int exponent_bits;
};

std::uint16_t Encode(double value, Format format) {
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const auto infinity =
      static_cast<std::uint32_t>(((1 << format.exponent_bits) - 1) << format.fraction_bits);
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  if (std::isnan(value)) {
    return static_cast<std::uint16_t>(sign | infinity | (1U << (format.fraction_bits - 1)));
  }
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return static_cast<std::uint16_t>(sign | infinity);
  if (magnitude == 0) return static_cast<std::uint16_t>(sign);
  const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  const double scaled = std::nearbyint(std::ldexp(magnitude, format.fraction_bits - exponent));
  const auto steps = static_cast<std::uint64_t>(scaled);
  const std::uint64_t base = static_cast<std::uint64_t>(exponent + bias - 1)
                             << format.fraction_bits;
  const std::uint64_t bits = base + steps;
  return static_cast<std::uint16_t>(sign | (bits >= infinity ? infinity : bits));
}

}  // namespace

std::uint16_t HalfFromDouble(double value) {
  return Encode(value, {.fraction_bits = 10, .exponent_bits = 5});
}

std::uint16_t Bfloat16FromDouble(double value) {
  return Encode(value, {.fraction_bits = 7, .exponent_bits = 8});
}

float HalfToFloat(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const int exponent = (bits >> 10) & 0x1F;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const auto wide = static_cast<std::uint32_t>(exponent - 15 + 127) << 23;
  return std::bit_cast<float>(sign | wide | (fraction << 13));
}

float Bfloat16ToFloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace slipway::server
