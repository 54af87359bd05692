// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// Computes nodes all of whose inputs are constants, in order, but for those that are to stay: what
/// they give becomes a constant. How many it computed. Those that cannot be computed stay too.
int FoldConstantNodes(Rewriter& graph, bool (*stays)(const NodeData&) = nullptr);

}  // namespace slipway::runtime
