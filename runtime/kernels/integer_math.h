// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

/// Integer arithmetic that wraps around and never traps.
namespace slipway::runtime {

template <class T>
T WrapAdd(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(1U * static_cast<U>(a) + static_cast<U>(b)));
}

template <class T>
T WrapSub(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(1U * static_cast<U>(a) - static_cast<U>(b)));
}

template <class T>
T WrapMul(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(1U * static_cast<U>(a) * static_cast<U>(b)));
}

/// Towards zero; 0 where b is 0.
template <class T>
T SafeDiv(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return WrapSub(T{0}, a);
  }
  return static_cast<T>(a / b);
}

/// Remainder of SafeDiv, with the sign of a; 0 where b is 0.
template <class T>
T SafeRemainder(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return static_cast<T>(a % b);
}

}  // namespace slipway::runtime
