// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

namespace slipway::runtime {

/// Of an executable whose outputs begin as inputs: where both are the same memory it changes what
/// is to be changed, and leaves the rest. Run once more on what it made it makes the same.
class WorksInPlace {
 public:
  virtual ~WorksInPlace() = default;
  /// The input that may lie in the memory of output `index`: of its type and shape.
  virtual std::optional<std::size_t> InputUnder(std::size_t index) const = 0;
};

}  // namespace slipway::runtime
