// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace slipway::server {

/// Narrow floating-point formats as bits, rounded to nearest, ties to even; too large becomes
/// infinity. Source: IEEE 754-2019 binary16; bfloat16 is the upper half of binary32.
std::uint16_t HalfFromDouble(double value);
float HalfToFloat(std::uint16_t bits);
std::uint16_t Bfloat16FromDouble(double value);
float Bfloat16ToFloat(std::uint16_t bits);

}  // namespace slipway::server
