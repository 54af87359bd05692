// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace slipway::runtime {

/// Of an executable that has input 1, a constant, in a form of its own.
class HoldsWeights {
 public:
  virtual ~HoldsWeights() = default;
  /// Whether Run does not look at input 1.
  virtual bool holds_weights() const = 0;
};

}  // namespace slipway::runtime
