// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <numbers>

namespace slipway::runtime {

/// x times the normal distribution's function at x.
template <class T>
T ErfGelu(T x) {
  return T{0.5} * x * std::erfc(-x / std::numbers::sqrt2_v<T>);
}

/// The same by the hyperbolic tangent. Source: Hendrycks and Gimpel, arXiv:1606.08415.
template <class T>
T TanhGelu(T x) {
  const T inner =
      std::sqrt(T{2} / std::numbers::pi_v<T>) * (x + static_cast<T>(0.044715) * x * x * x);
  return T{0.5} * x * (T{1} + std::tanh(inner));
}

}  // namespace slipway::runtime
