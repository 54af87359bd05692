// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/graph/plan.h"

namespace slipway::runtime {

/// Has convolutions on blocks put their sums where the image is that they add, if nothing reads it
/// after them: `NodeFacts::overwrites` tells their kernels.
void OverwriteSums(Plan& plan);

}  // namespace slipway::runtime
