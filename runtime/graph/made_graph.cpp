// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/made_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/graph/onnx_proto.h"
#include "runtime/op.h"

namespace slipway::runtime {
namespace {

using Names = std::vector<std::string>;

const std::string& NameOf(const GraphData& graph, ValueId id) {
  static const std::string none;
  return id == kNoValue ? none : graph.values[static_cast<std::size_t>(id)].name;
}

Names NamesOf(const GraphData& graph, const std::vector<ValueId>& ids) {
  Names names;
  for (const ValueId id : ids) names.push_back(NameOf(graph, id));
  return names;
}

/// What a graph declares, by the names that its values have inside.
std::vector<ValueInfo> PortsOf(const GraphData& graph, const std::vector<ValueId>& ids,
                               std::vector<ValueInfo> infos) {
  for (std::size_t i = 0; i < infos.size(); ++i) infos[i].name = NameOf(graph, ids[i]);
  return infos;
}

MadeGraph ByNames(const GraphData& graph) {
  MadeGraph made{.inputs = PortsOf(graph, graph.inputs, graph.input_infos),
                 .outputs = PortsOf(graph, graph.outputs, graph.output_infos),
                 .captures = NamesOf(graph, graph.captures)};
  for (const GraphValue& value : graph.values) {
    if (value.is_constant()) made.constants.emplace_back(value.name, value.constant);
  }
  for (const NodeData& node : graph.nodes) made.nodes.push_back(ByNames(graph, node));
  return made;
}

const std::string& NewName(const std::string& name, const NewNames& names) {
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

/// Inside a graph the names of its captures alone are those of the graph around.
MadeGraph Renamed(MadeGraph graph, const NewNames& names) {
  NewNames captured;
  for (std::string& name : graph.captures) {
    const std::string& now = NewName(name, names);
    if (now != name) captured.emplace(name, now);
    name = now;
  }
  if (captured.empty()) return graph;
  for (MadeNode& node : graph.nodes) node = Renamed(std::move(node), captured);
  for (ValueInfo& output : graph.outputs) output.name = NewName(output.name, captured);
  return graph;
}

bool IsAny(const Names& names, const std::set<std::string>& set) {
  return std::ranges::any_of(names, [&](const std::string& name) { return set.contains(name); });
}

/// Whether it gives the same at every run: no random numbers, or those of a seed.
bool GivesTheSame(const MadeNode& node) {
  const OpDef* op = FindOp(node.domain, node.type, node.opset);
  if (op == nullptr || op->deterministic || node.attributes.Has("seed")) return true;
  const bool trains = node.inputs.size() > 2 && !node.inputs[2].empty();
  return node.type == "Dropout" && !trains;
}

Names OutputsOf(const MadeGraph& graph) {
  Names names;
  for (const ValueInfo& output : graph.outputs) names.push_back(output.name);
  return names;
}

}  // namespace

Result<const MadeGraph*> MadeNode::Body(const std::string& attribute) const {
  const auto found = bodies.find(attribute);
  if (found != bodies.end()) return found->second.get();
  return proto::Invalid(fmt::format("a node {} without `{}`", type, attribute));
}

MadeNode ByNames(const GraphData& graph, const NodeData& node) {
  MadeNode made{.name = node.name,
                .type = node.type,
                .domain = node.domain,
                .opset = node.opset,
                .inputs = NamesOf(graph, node.inputs),
                .outputs = NamesOf(graph, node.outputs)};
  for (const auto& [name, value] : node.attributes) {
    if (const auto* inner = std::get_if<std::shared_ptr<const GraphData>>(&value)) {
      made.bodies[name] = std::make_shared<const MadeGraph>(ByNames(**inner));
    } else {
      made.attributes.Set(name, value);
    }
  }
  return made;
}

MadeNode Renamed(MadeNode node, const NewNames& names) {
  for (auto* side : {&node.inputs, &node.outputs}) {
    for (std::string& name : *side) name = NewName(name, names);
  }
  for (auto& [attribute, body] : node.bodies) {
    body = std::make_shared<const MadeGraph>(Renamed(*body, names));
  }
  return node;
}

std::vector<std::string> CapturesOf(const MadeNode& node) {
  Names captures;
  std::set<std::string_view> seen;
  for (const auto& [attribute, body] : node.bodies) {
    for (const std::string& name : body->captures) {
      if (seen.insert(name).second) captures.push_back(name);
    }
  }
  return captures;
}

std::int64_t CountNodes(const MadeNode& node) {
  std::int64_t count = 1;
  for (const auto& [attribute, body] : node.bodies) {
    for (const MadeNode& inner : body->nodes) count += CountNodes(inner);
  }
  return count;
}

Result<void> MayRunAgain(const MadeGraph& graph) {
  for (const MadeNode& node : graph.nodes) {
    if (!GivesTheSame(node)) {
      return Error{.code = Code::kUnimplemented,
                   .message = fmt::format("derivatives through a graph with node {} in it are not "
                                          "known: run again it gives other numbers",
                                          node.Text()),
                   .id = "Model.UnsupportedOperator"};
    }
    for (const auto& [attribute, body] : node.bodies) TRY(MayRunAgain(*body));
  }
  return {};
}

std::vector<MadeNode> Used(std::vector<MadeNode> nodes, const std::vector<std::string>& outputs) {
  std::set<std::string> used(outputs.begin(), outputs.end());
  used.erase("");
  std::vector<MadeNode> kept;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (!IsAny(node->outputs, used)) continue;
    used.insert(node->inputs.begin(), node->inputs.end());
    for (std::string& name : CapturesOf(*node)) used.insert(std::move(name));
    kept.push_back(std::move(*node));
  }
  std::ranges::reverse(kept);
  return kept;
}

std::set<std::string> UsedBy(const MadeGraph& graph) {
  std::set<std::string> used;
  for (const MadeNode& node : graph.nodes) {
    used.insert(node.inputs.begin(), node.inputs.end());
    for (std::string& name : CapturesOf(node)) used.insert(std::move(name));
  }
  for (const ValueInfo& output : graph.outputs) used.insert(output.name);
  used.erase("");
  return used;
}

MadeGraph Completed(MadeGraph graph) {
  graph.nodes = Used(std::move(graph.nodes), OutputsOf(graph));
  const std::set<std::string> used = UsedBy(graph);
  std::erase_if(graph.constants,
                [&](const auto& constant) { return !used.contains(constant.first); });
  std::set<std::string_view> own;
  for (const MadeNode& node : graph.nodes) own.insert(node.outputs.begin(), node.outputs.end());
  for (const ValueInfo& input : graph.inputs) own.insert(input.name);
  for (const auto& [name, value] : graph.constants) own.insert(name);
  graph.captures.clear();
  for (const std::string& name : used) {
    if (!own.contains(name)) graph.captures.push_back(name);
  }
  return graph;
}

}  // namespace slipway::runtime
