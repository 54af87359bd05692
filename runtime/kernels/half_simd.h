// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "runtime/kernels/float16.h"

/// Conversions of 16-bit floats with the widest vectors this machine has: the same bits as one by
/// one. `y` has room for as many as `x` has. Thread-safe; they allocate nothing.
namespace slipway::runtime {

void WidenHalf(std::span<const Float16> x, float* y);
void WidenHalf(std::span<const BFloat16> x, float* y);
void NarrowToHalf(std::span<const float> x, Float16* y);
void NarrowToHalf(std::span<const float> x, BFloat16* y);

}  // namespace slipway::runtime
