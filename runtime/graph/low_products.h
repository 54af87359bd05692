// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// Has Conv, MatMul and Gemm of constant weights computed in `precision` where that is what the
/// session asks for and it gains. Shapes and the processor's kind alone decide. How many were
/// changed.
Result<int> LowerProducts(Rewriter& graph, Precision precision);

}  // namespace slipway::runtime
