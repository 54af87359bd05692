// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <utility>

#include "runtime/op.h"

namespace slipway::runtime {

/// Uniform numbers in [0, 1) as NumPy's RandomState makes them: MT19937, 53 bits. Seeded by a
/// node's attribute, or by the machine where it is absent.
class UniformSource {
 public:
  explicit UniformSource(std::uint32_t seed) : engine_(seed) {}
  /// Seeded by an int or float attribute.
  static UniformSource Of(const NodeFacts& node, std::string_view attribute);

  double Next() {
    const std::uint64_t high = engine_() >> 5;
    const std::uint64_t low = engine_() >> 6;
    return static_cast<double>(high * 67108864 + low) / 9007199254740992.0;
  }

 private:
  std::mt19937 engine_;
};

/// Normal numbers of mean 0 and deviation 1, as NumPy's RandomState makes them: the polar method,
/// which gives two at a time.
class NormalSource {
 public:
  explicit NormalSource(UniformSource uniform) : uniform_(uniform) {}
  double Next();

 private:
  UniformSource uniform_;
  double second_ = 0;
  bool has_second_ = false;
};

}  // namespace slipway::runtime
