// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/convert_simd.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/convert_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBlock = 512;

/// Of booleans, which are bytes in memory.
struct Truth {
  std::uint8_t byte;
};

/// Whether values of From within int32 become To by way of int32.
template <class From, class To>
constexpr bool kByInt32 = (std::is_floating_point_v<From> && std::is_integral_v<To>) ||
                          (std::is_same_v<From, std::int64_t> && std::is_floating_point_v<To>);

template <class From>
bool AllInt32(const From* in, std::int64_t count) {
  int outside = 0;
  if constexpr (std::is_floating_point_v<From>) {
    constexpr auto kHalf = static_cast<From>(2147483648.0);
    for (std::int64_t i = 0; i < count; ++i) outside |= std::abs(in[i]) < kHalf ? 0 : 1;
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      outside |= in[i] == static_cast<std::int32_t>(in[i]) ? 0 : 1;
    }
  }
  return outside == 0;
}

template <class To, class From>
To One(From from) {
  if constexpr (std::is_same_v<To, Truth>) {
    return {static_cast<std::uint8_t>(from != From{0} ? 1 : 0)};
  } else if constexpr (std::is_same_v<From, Truth>) {
    return static_cast<To>(from.byte);
  } else if constexpr (kByInt32<From, To>) {
    return static_cast<To>(static_cast<std::int32_t>(from));
  } else {
    return static_cast<To>(from);
  }
}

template <class From, class To>
std::int64_t Convert(const From* in, void* out, std::int64_t count) {
  auto* const to = static_cast<To*>(out);
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t block = std::min(kBlock, count - at);
    if constexpr (kByInt32<From, To>) {
      if (!AllInt32(in + at, block)) return at;
    }
    for (std::int64_t i = at; i < at + block; ++i) to[i] = One<To>(in[i]);
  }
  return count;
}

template <class From>
std::int64_t ConvertFrom(const void* in, DType to, void* out, std::int64_t count) {
  const auto* const from = static_cast<const From*>(in);
  if (to == DType::kFloat32) return Convert<From, float>(from, out, count);
  if (to == DType::kInt32) return Convert<From, std::int32_t>(from, out, count);
  if (to == DType::kInt64) return Convert<From, std::int64_t>(from, out, count);
  if constexpr (!std::is_same_v<From, Truth>) {
    if (to == DType::kBool) return Convert<From, Truth>(from, out, count);
  }
  if constexpr (std::is_same_v<From, float>) {
    if (to == DType::kFloat64) return Convert<From, double>(from, out, count);
    if (to == DType::kInt8) return Convert<From, std::int8_t>(from, out, count);
    if (to == DType::kUint8) return Convert<From, std::uint8_t>(from, out, count);
  }
  return 0;
}

std::int64_t ConvertSimple(DType from, const void* in, DType to, void* out, std::int64_t count) {
  if (from == DType::kFloat32) return ConvertFrom<float>(in, to, out, count);
  if (from == DType::kFloat64) return ConvertFrom<double>(in, to, out, count);
  if (from == DType::kInt32) return ConvertFrom<std::int32_t>(in, to, out, count);
  if (from == DType::kInt64) return ConvertFrom<std::int64_t>(in, to, out, count);
  if (from == DType::kInt8) return ConvertFrom<std::int8_t>(in, to, out, count);
  if (from == DType::kUint8) return ConvertFrom<std::uint8_t>(in, to, out, count);
  if (from == DType::kBool) return ConvertFrom<Truth>(in, to, out, count);
  return 0;
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(ConvertSimple);

std::int64_t ConvertSimple(DType from, const void* in, DType to, void* out, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(ConvertSimple)(from, in, to, out, count);
}

}  // namespace slipway::runtime
#endif
