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

}  // namespace slipway::runtime
