// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/value.h"

namespace slipway::runtime {

/// Lets go of what a value holds. Where that is a tensor it becomes one of no elements, which keeps
/// the room of its shape: a copy that is assigned to it then allocates nothing.
inline void Empty(Value& value) {
  if (Tensor* tensor = value.tensor()) {
    const Tensor none;
    *tensor = none;
  } else {
    value = {};
  }
}

}  // namespace slipway::runtime
