// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/op.h"

/// Operators that are another operator under another name.
namespace slipway::runtime {

/// The node as a node of `type` of `domain`, at that version; attributes, inputs and outputs are
/// left as they are. The operator must be there.
NodeFacts AsNodeOf(const NodeFacts& node, std::string_view domain, std::string_view type,
                   int opset);

/// The first kernel of the node's own operator that does not decline; the last where `reference`.
Result<std::unique_ptr<Executable>> PrepareNode(NodeFacts node, bool reference,
                                                DeviceContext& device);

}  // namespace slipway::runtime
