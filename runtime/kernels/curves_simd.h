// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Curved functions of float32, with the widest vectors this machine has, to a few units in the
/// last place. Infinities give what the formula gives; what is no number stays so. Thread-safe.
namespace slipway::runtime {

enum class Curve : std::uint8_t {
  kSigmoid,  ///< 1 / (1 + exp(-x))
  kTanh,
  kElu,          ///< alpha * (exp(x) - 1) below 0, else x
  kSelu,         ///< beta times that, 0 included
  kCelu,         ///< alpha * (exp(x / alpha) - 1) below 0, else x; alpha is above 0
  kSoftplus,     ///< log(1 + exp(x))
  kMish,         ///< x * tanh(softplus(x))
  kSwish,        ///< x * sigmoid(alpha * x)
  kHardSigmoid,  ///< alpha * x + beta, held within 0 and 1
  kHardSwish,    ///< x times that of 1 / 6 and 1 / 2
  kLeakyRelu,    ///< alpha * x below 0, else x
  kExp,
  kLog,
  kErf,
  kGelu,      ///< x times the normal distribution's function at x
  kGeluTanh,  ///< the same by the hyperbolic tangent
  kSin,
  kCos,
  kAtan,
  kSqrt,
  kFloor,
  kCeil,
  kRound  ///< to the nearest integer, halves to even ones
};

/// A function with its parameters.
struct CurveCall {
  Curve curve = Curve::kSigmoid;
  float alpha = 1, beta = 0;
};

/// y[i] = f(x[i]); x and y may be the same.
void RunCurve(const CurveCall& f, const float* x, float* y, std::int64_t count);

}  // namespace slipway::runtime
