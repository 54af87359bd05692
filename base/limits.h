// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.h"

/// Bounds on what untrusted input may ask for. Everything that grows with input has one here.
namespace slipway::limits {

inline constexpr std::int64_t kJsonDepth = 128;
inline constexpr std::int64_t kJsonBytes = 64 << 20;
inline constexpr std::int64_t kHeaderBytes = 64 << 10;
inline constexpr std::int64_t kHttpBodyBytes = std::int64_t{100} << 20;
inline constexpr std::int64_t kScriptReplyBytes = std::int64_t{1} << 30;
inline constexpr std::int64_t kBlobBytes = std::int64_t{64} << 30;
inline constexpr std::int64_t kModelProtoBytes = (std::int64_t{2} << 30) - 1;
inline constexpr std::int64_t kTensorBytes = std::int64_t{64} << 30;
inline constexpr std::int64_t kStringBytes = std::int64_t{1} << 30;  ///< of one tensor's strings
inline constexpr std::int64_t kTensorRank = 64;
inline constexpr std::int64_t kGraphNodes = 4'000'000;
inline constexpr std::int64_t kGraphDepth = 64;
inline constexpr std::int64_t kLoopTrips = 1'000'000'000;  ///< of graphs inside nodes, in one run
inline constexpr std::int64_t kTags = 256;
inline constexpr std::int64_t kNameChars = 255;
inline constexpr std::int64_t kTextChars = 16 << 10;
inline constexpr std::int64_t kModelFiles = 10'000;
inline constexpr std::int64_t kImageLayers = 127;
inline constexpr std::int64_t kLayerEntries = 1'000'000;
inline constexpr std::int64_t kPageItems = 1'000;
inline constexpr std::int64_t kPendingOperations = 1'000;
inline constexpr std::int64_t kLogBytes = 64 << 20;

}  // namespace slipway::limits

namespace slipway {

/// Product of two non-negative sizes; kResourceExhausted naming `what` if it does not fit.
inline Result<std::int64_t> CheckedMul(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    return Error{.code = Code::kResourceExhausted, .message = std::string(what) + " is too large"};
  }
  return product;
}

/// Sum of two non-negative sizes; kResourceExhausted naming `what` if it does not fit.
inline Result<std::int64_t> CheckedAdd(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t sum = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) {
    return Error{.code = Code::kResourceExhausted, .message = std::string(what) + " is too large"};
  }
  return sum;
}

/// `value` as a narrower integer type; kInvalidArgument if it does not fit.
template <class To, class From>
Result<To> Narrow(From value) {
  static_assert(std::is_integral_v<To> && std::is_integral_v<From>);
  if (!std::in_range<To>(value)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = std::to_string(value) + " is out of range"};
  }
  return static_cast<To>(value);
}

}  // namespace slipway
