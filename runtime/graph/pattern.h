// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "runtime/graph/rewriter.h"

/// What passes ask when they look for an operator spelt in several nodes.
namespace slipway::runtime {

/// Whether it is a node of the standard's first domain, where operands line up as NumPy's do.
bool IsNode(const NodeData& node, std::string_view type);

/// The node of that type which makes `id`; null if another does.
const NodeData* MakerOf(const Rewriter& graph, ValueId id, std::string_view type);

/// A single float32 as a constant that leaves the shape of `beside` as it is.
std::optional<double> NumberBeside(const Rewriter& graph, ValueId id, ValueId beside);

/// Whether it is that number, but for rounding.
bool IsNear(std::optional<double> number, double wanted);

/// The other input of a node of two, if one is `id`; else kNoValue.
ValueId OtherInput(const NodeData& node, ValueId id);

/// The other input of the one node that uses `id`, if it is of that type; `user` is the node.
ValueId UserWith(const Rewriter& graph, ValueId id, std::string_view type, std::size_t& user);

/// Makes a node the function `type` of `x` alone, with these attributes.
Result<void> BecomeFunction(Rewriter& graph, std::size_t index, ValueId x, std::string_view type,
                            int opset, Attributes attributes);

/// The shape of a value of float32; null where it is something else or not known.
const Shape* FloatShape(const Rewriter& graph, ValueId id);

/// Whether `id` is one row of float32, to be combined with each row of `rows`.
bool IsRowOf(const Rewriter& graph, ValueId id, const Shape& rows);

}  // namespace slipway::runtime
