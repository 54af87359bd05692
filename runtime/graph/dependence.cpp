// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/dependence.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/op_index.h"
#include "runtime/op.h"

namespace slipway::runtime {
namespace {

using Names = std::set<std::string>;

/// The operator's schema; null where the operator is not known.
Result<const Schema*> SchemaOf(Effort& effort, const MadeNode& node) {
  const OpDef* op = FindOp(node.domain, node.type, node.opset);
  if (op == nullptr) return static_cast<const Schema*>(nullptr);
  auto known = effort.schemas.find(op);
  if (known == effort.schemas.end()) {
    known = effort.schemas.emplace(op, TRY(ParseSchema(*op))).first;
  }
  return &known->second;
}

bool IsRealType(std::int64_t number) {
  constexpr std::int64_t kLast = 31;
  return number >= 0 && number <= kLast && kFloatTypesB.Has(static_cast<DType>(number));
}

bool IsReal(const MadeNode& node, const Schema* schema, std::size_t output) {
  if (node.type == "Cast" && node.domain.empty()) {
    return node.opset < 6 || IsRealType(node.attributes.Int("to", 1));
  }
  const Formal* formal = schema == nullptr ? nullptr : Schema::At(schema->outputs, output);
  return formal == nullptr || (formal->type.kind != FormalType::Kind::kMap &&
                               (formal->type.dtypes.bits & kFloatTypesB.bits) != 0);
}

/// Of the second input of CastLike the type alone counts.
bool Depends(const MadeNode& node, const Names& active) {
  const auto is_active = [&](const std::string& name) { return active.contains(name); };
  if (node.type == "CastLike" && node.domain.empty()) return is_active(node.inputs.front());
  return std::ranges::any_of(node.inputs, is_active) ||
         (!node.bodies.empty() && std::ranges::any_of(CapturesOf(node), is_active));
}

/// Of the values around a graph those that it knows.
Names Captured(const MadeGraph& graph, const Names& active) {
  Names inside;
  for (const std::string& name : graph.captures) {
    if (active.contains(name)) inside.insert(name);
  }
  return inside;
}

/// What is active inside a node. As more becomes active around them it grows, and what was found
/// before stays true.
struct Inside {
  Names active = {};
  std::size_t followed = 0;  ///< of them when its nodes were last gone through
  std::map<const void*, std::unique_ptr<Inside>> further = {};  ///< by node, or by graph of one

  Inside& Further(const void* of) {
    std::unique_ptr<Inside>& found = further[of];
    if (found == nullptr) found = std::make_unique<Inside>();
    return *found;
  }
};

Result<void> FollowInside(Effort& effort, const std::vector<MadeNode>& nodes, const Names& discrete,
                          Names& active, Inside& inside);

/// The active values inside a graph of a node, for those around it.
Result<void> FollowGraph(Effort& effort, const MadeGraph& graph, Inside& inside) {
  if (inside.followed > 0 && inside.followed == inside.active.size()) return {};
  TRY(FollowInside(effort, graph.nodes, {}, inside.active, inside));
  inside.followed = inside.active.size();
  return {};
}

Result<void> FollowTrips(Effort& effort, const MadeNode& node, const Names& active,
                         Inside& inside) {
  const TripLayout layout = TRY(TripLayoutOf(node));
  const MadeGraph& body = *TRY(node.Body("body"));
  inside.active.merge(Captured(body, active));
  for (std::size_t i = 0; layout.node_in + i < node.inputs.size(); ++i) {
    if (active.contains(node.inputs[layout.node_in + i])) {
      inside.active.insert(body.inputs[layout.body_in + i].name);
    }
  }
  for (bool grown = true; grown;) {
    TRY(FollowGraph(effort, body, inside));
    grown = false;
    for (std::size_t i = 0; i < layout.states; ++i) {
      const bool is_active = inside.active.contains(body.outputs[layout.body_out + i].name);
      grown |= is_active && inside.active.insert(body.inputs[layout.body_in + i].name).second;
    }
  }
  return {};
}

/// The names of a node's outputs that depend on active values.
Result<Names> ActiveOutputs(Effort& effort, const MadeNode& node, const Names& active,
                            Inside& inside) {
  Names outputs;
  const auto take = [&](const MadeGraph& body, std::size_t from, const Names& found) {
    for (std::size_t i = from; i < body.outputs.size() && i - from < node.outputs.size(); ++i) {
      if (found.contains(body.outputs[i].name)) outputs.insert(node.outputs[i - from]);
    }
  };
  if (RunsTrips(node)) {
    TRY(FollowTrips(effort, node, active, inside));
    take(*TRY(node.Body("body")), TRY(TripLayoutOf(node)).body_out, inside.active);
  } else if (node.type == "If" && node.domain.empty()) {
    for (const auto& [attribute, branch] : node.bodies) {
      Inside& found = inside.Further(branch.get());
      found.active.merge(Captured(*branch, active));
      TRY(FollowGraph(effort, *branch, found));
      take(*branch, 0, found.active);
    }
  } else {
    const Schema* schema = TRY(SchemaOf(effort, node));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (IsReal(node, schema, i)) outputs.insert(node.outputs[i]);
    }
  }
  outputs.erase("");
  return outputs;
}

Result<void> FollowInside(Effort& effort, const std::vector<MadeNode>& nodes, const Names& discrete,
                          Names& active, Inside& inside) {
  effort.visits += static_cast<std::int64_t>(nodes.size());
  TRY(effort.Check());
  Inside none;
  for (const MadeNode& node : nodes) {
    if (!Depends(node, active)) continue;
    Inside& further = node.bodies.empty() ? none : inside.Further(&node);
    for (const std::string& name : TRY(ActiveOutputs(effort, node, active, further))) {
      if (!discrete.contains(name)) active.insert(name);
    }
  }
  return {};
}

}  // namespace

bool RunsTrips(const MadeNode& node) {
  if (node.domain == kPrivateDomain) return node.type == "Fold";
  return node.domain.empty() && (node.type == "Loop" || node.type == "Scan");
}

Result<TripLayout> TripLayoutOf(const MadeNode& node) {
  const MadeGraph& body = *TRY(node.Body("body"));
  TripLayout layout{.node_in = 2, .body_in = 2, .body_out = 1};
  if (node.type == "Scan") layout = {.node_in = node.opset < 9 ? 1U : 0U};
  const std::size_t values = node.inputs.size() - std::min(layout.node_in, node.inputs.size());
  std::size_t items = 0;
  if (node.type == "Scan") {
    items = static_cast<std::size_t>(node.attributes.Int("num_scan_inputs", 0));
  } else if (node.type == "Fold") {
    items = values - static_cast<std::size_t>(node.attributes.Int("states", 0));
  }
  layout.states = values - std::min(values, items);
  if (items > values || (node.type == "Scan" && items == 0) ||
      body.inputs.size() != layout.body_in + values ||
      body.outputs.size() < layout.body_out + layout.states ||
      body.outputs.size() < layout.body_out + node.outputs.size()) {
    return proto::Invalid(fmt::format("a body of {} inputs and {} outputs does not fit its {}",
                                      body.inputs.size(), body.outputs.size(), node.type));
  }
  return layout;
}

Result<void> Follow(Effort& effort, const std::vector<MadeNode>& nodes, const Names& discrete,
                    Names& active) {
  Inside inside;
  return FollowInside(effort, nodes, discrete, active, inside);
}

Result<Names> ActiveInTrips(Effort& effort, const MadeNode& node, const Names& active) {
  Inside inside;
  TRY(FollowTrips(effort, node, active, inside));
  return std::move(inside.active);
}

}  // namespace slipway::runtime
