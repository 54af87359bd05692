// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// A node as its operator sees it, for passes that run while planning; valid while the rewriter
/// adds no values. Nothing where the shape of an input is not known.
std::optional<NodeFacts> FactsOfNode(const Rewriter& graph, const NodeData& node);

}  // namespace slipway::runtime
