// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/random.h"

#include <cmath>

namespace slipway::runtime {

UniformSource UniformSource::Of(const NodeFacts& node, std::string_view attribute) {
  const Attribute* seed = node.attributes.Find(attribute);
  if (seed == nullptr) return UniformSource(std::random_device()());
  if (const auto* integer = std::get_if<std::int64_t>(seed)) {
    return UniformSource(static_cast<std::uint32_t>(*integer));
  }
  const float real = node.attributes.Float(attribute, 0);
  const bool fits = std::abs(real) < 9e18F;
  return UniformSource(fits ? static_cast<std::uint32_t>(static_cast<std::int64_t>(real)) : 0);
}

double NormalSource::Next() {
  if (has_second_) {
    has_second_ = false;
    return second_;
  }
  double x = 0;
  double y = 0;
  double square = 0;
  do {
    x = 2 * uniform_.Next() - 1;
    y = 2 * uniform_.Next() - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double factor = std::sqrt(-2 * std::log(square) / square);
  second_ = factor * x;
  has_second_ = true;
  return factor * y;
}

}  // namespace slipway::runtime
