// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/minifloat.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/op.h"

namespace slipway::runtime {
namespace {

struct Format {
  int exponent_bits, mantissa_bits, bias;
  unsigned largest;   ///< bits of the largest finite number
  unsigned nan;       ///< bits of NaN without its sign; 0 where there is none
  unsigned infinity;  ///< bits of infinity; 0 where there is none
  bool one_zero;      ///< no negative zero: its bits are NaN
};

constexpr Format kE4M3FN{4, 3, 7, 0x7e, 0x7f, 0, false};
constexpr Format kE4M3FNUZ{4, 3, 8, 0x7f, 0x80, 0, true};
constexpr Format kE5M2{5, 2, 15, 0x7b, 0x7f, 0x7c, false};
constexpr Format kE5M2FNUZ{5, 2, 16, 0x7f, 0x80, 0, true};
constexpr Format kE2M3{2, 3, 1, 0x1f, 0, 0, false};
constexpr Format kE3M2{3, 2, 3, 0x1f, 0, 0, false};
constexpr Format kE2M1{2, 1, 1, 0x7, 0, 0, false};

const Format* FormatOf(DType dtype) {
  if (dtype == DType::kFloat8E4M3FN) return &kE4M3FN;
  if (dtype == DType::kFloat8E4M3FNUZ) return &kE4M3FNUZ;
  if (dtype == DType::kFloat8E5M2) return &kE5M2;
  if (dtype == DType::kFloat8E5M2FNUZ) return &kE5M2FNUZ;
  if (dtype == DType::kFloat4E2M1) return &kE2M1;
  if (dtype == DType::kFloat6E2M3) return &kE2M3;
  if (dtype == DType::kFloat6E3M2) return &kE3M2;
  return nullptr;
}

constexpr int kScaleBias = 127;
constexpr std::uint8_t kScaleNan = 0xff;
constexpr std::uint8_t kScaleLargest = 0xfe;

std::uint8_t EncodeScale(float value, const MiniOptions& options) {
  if (std::isnan(value)) return kScaleNan;
  if (std::isinf(value)) return options.saturate ? kScaleLargest : kScaleNan;
  value = std::abs(value);
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);
  bool up = false;
  if (options.rounding == ScaleRounding::kUp) up = fraction > 0.5F;
  if (options.rounding == ScaleRounding::kNearest) up = fraction >= 0.75F;
  const int code = value == 0 ? -1 : exponent - 1 + (up ? 1 : 0) + kScaleBias;
  if (code < 0) return options.saturate ? 0 : kScaleNan;
  if (code > kScaleLargest) return options.saturate ? kScaleLargest : kScaleNan;
  return static_cast<std::uint8_t>(code);
}

float Magnitude(const Format& format, unsigned bits) {
  const auto mantissa = static_cast<int>(bits & ((1U << format.mantissa_bits) - 1));
  const auto exponent = static_cast<int>(bits >> format.mantissa_bits);
  const int scale = std::max(exponent, 1) - format.bias - format.mantissa_bits;
  const int hidden = exponent > 0 ? 1 << format.mantissa_bits : 0;
  return std::ldexp(static_cast<float>(hidden + mantissa), scale);
}

/// Bits of the number nearest to `value`, which is finite and not negative; may be too large.
unsigned Nearest(const Format& format, float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  const int least = 1 - format.bias;
  const int scale = std::max(exponent - 1, least) - format.mantissa_bits;
  const double steps = std::nearbyint(std::ldexp(static_cast<double>(value), -scale));
  const int hidden = 1 << format.mantissa_bits;
  const auto whole = static_cast<int>(steps);
  if (whole < hidden) return static_cast<unsigned>(whole);
  const int field = scale + format.mantissa_bits + format.bias;
  return static_cast<unsigned>(field * hidden + whole - hidden);
}

}  // namespace

bool IsMiniFloat(DType dtype) { return FormatOf(dtype) != nullptr || dtype == DType::kFloat8E8M0; }

float DecodeMini(DType dtype, std::uint8_t bits) {
  if (dtype == DType::kFloat8E8M0) {
    if (bits == kScaleNan) return std::numeric_limits<float>::quiet_NaN();
    return std::ldexp(1.0F, bits - kScaleBias);
  }
  const Format& format = *FormatOf(dtype);
  const unsigned sign = 1U << (format.exponent_bits + format.mantissa_bits);
  const unsigned magnitude = bits & (sign - 1);
  const bool nan = format.one_zero ? bits == format.nan
                                   : format.nan != 0 && magnitude > format.largest &&
                                         magnitude != format.infinity;
  if (nan) return std::numeric_limits<float>::quiet_NaN();
  const float value = format.infinity != 0 && magnitude == format.infinity
                          ? std::numeric_limits<float>::infinity()
                          : Magnitude(format, magnitude);
  return (bits & sign) != 0 ? -value : value;
}

std::uint8_t EncodeMini(DType dtype, float value, const MiniOptions& options) {
  if (dtype == DType::kFloat8E8M0) return EncodeScale(value, options);
  const Format& format = *FormatOf(dtype);
  const unsigned sign_bit = 1U << (format.exponent_bits + format.mantissa_bits);
  const unsigned sign = std::signbit(value) ? sign_bit : 0;
  const bool has_nan = format.nan != 0;
  if (std::isnan(value)) {
    if (format.one_zero) return static_cast<std::uint8_t>(format.nan);
    return static_cast<std::uint8_t>(has_nan ? sign | format.nan : sign_bit);
  }
  const float magnitude = std::abs(value);
  unsigned bits = format.largest + 1;
  if (!std::isinf(value)) bits = std::min(bits, Nearest(format, std::min(magnitude, 1e9F)));
  if (bits > format.largest) {
    if (options.saturate || !has_nan) {
      bits = format.largest;
    } else if (format.infinity != 0) {
      bits = format.infinity;
    } else {
      return static_cast<std::uint8_t>(format.one_zero ? format.nan : sign | format.nan);
    }
  }
  if (bits == 0 && format.one_zero) return 0;
  return static_cast<std::uint8_t>(sign | bits);
}

}  // namespace slipway::runtime
