// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/minifloat.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// Sets each element of `to` to that of `from` in another type, by the rules of Cast. Where the
/// standard leaves a result open it is defined here: integers out of a float's range wrap around
/// from 64 bits, NaN becomes 0. kInvalidArgument naming a string that is no number.
Result<void> ConvertElements(KernelContext& context, const Tensor& from, Tensor& to,
                             const MiniOptions& options = {});

}  // namespace slipway::runtime
