// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/conv.h"
#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {

/// Has a primitive apply the activation of `node` to its sums, after what `ops` does already.
void AppendActivation(const NodeFacts& node, ConvActivation activation, dnnl::post_ops& ops);

}  // namespace slipway::runtime
