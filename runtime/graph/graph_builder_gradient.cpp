// SPDX-License-Identifier: Apache-2.0
// Gradient nodes, and the nodes that come in their place.
#include <fmt/format.h>

#include "runtime/graph/gradient.h"
#include "runtime/graph/graph_builder.h"
#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using proto::Invalid;

constexpr std::int64_t kMaxGradientSteps = 20'000'000;

}  // namespace

std::set<ValueId> GraphBuilder::DiscreteValues(const Scope& scope) {
  std::set<ValueId> discrete;
  for (const auto& [id, facts] : scope.types) {
    if (!kFloatTypesB.Has(facts.dtype)) discrete.insert(id);
  }
  return discrete;
}

Result<void> GraphBuilder::AddGradient(NodeData data, Scope& scope, const FunctionCall* call,
                                       const std::vector<std::string>& inputs,
                                       const std::vector<std::string>& outputs) {
  data.outputs.assign(outputs.size(), kNoValue);
  TRY(CheckNode(scope, data));
  const std::int64_t steps =
      static_cast<std::int64_t>(scope.graph->nodes.size()) + scope.inner_nodes;
  gradient_steps_ += steps;
  if (gradient_steps_ > kMaxGradientSteps) {
    return Invalid(fmt::format("node {}: too many nodes of its kind for a graph of {} nodes",
                               NodeText(data), steps));
  }
  GradientRequest request{.values = inputs,
                          .outputs = outputs,
                          .prefix = fmt::format("{}/gradient#{}/", data.name, nodes_)};
  request.most_nodes = MostMadeNodes() - nodes_;
  const auto find = [&](std::string_view name) -> Result<ValueId> {
    const ValueId id = Lookup(scope, NameIn(call, name));
    if (id != kNoValue) return id;
    return Invalid(fmt::format("node {}: no value '{}' comes before it", NodeText(data), name));
  };
  for (const std::string_view list : {"xs", "zs"}) {
    for (const std::string& name : data.attributes.Strings(list)) {
      request.variables.push_back(TRY(find(name)));
    }
  }
  request.target = TRY(find(data.attributes.String("y", "")));
  if (request.variables.size() != inputs.size() ||
      outputs.size() > data.attributes.Strings("xs").size()) {
    return Invalid(fmt::format("node {} has {} inputs and {} outputs for {} and {} variables",
                               NodeText(data), inputs.size(), outputs.size(),
                               request.variables.size(), data.attributes.Strings("xs").size()));
  }
  request.discrete = DiscreteValues(scope);
  const std::vector<MadeNode> nodes = TRY(Differentiate(*scope.graph, request));
  return PlaceMade(scope, {.prefix = data.name, .nodes = nodes});
}

Result<void> GraphBuilder::PlaceMade(Scope& scope, const MadeNodes& made) {
  for (const MadeNode& node : made.nodes) {
    TRY(CountNode(true));
    NodeData step{.name = fmt::format("{}/{}_{}", made.prefix, node.type, nodes_ - 1),
                  .domain = node.domain,
                  .type = node.type,
                  .opset = node.opset,
                  .attributes = node.attributes};
    for (const auto& [attribute, body] : node.bodies) {
      proto::Graph declared;
      declared.inputs = body->inputs;
      declared.outputs = body->outputs;
      for (const auto& [name, value] : body->constants) {
        declared.initializers.push_back({.name = name, .tensor = value});
      }
      const MadeNodes inner{.prefix = made.prefix, .nodes = body->nodes};
      step.attributes.Set(attribute, std::shared_ptr<const GraphData>(
                                         TRY(BuildGraph(declared, &scope, nullptr, &inner))));
    }
    if (step.domain == kPrivateDomain) step.op = FindOp(step.domain, step.type, step.opset);
    TRY(Connect(scope, step, node.inputs));
    TRY(Place(scope, std::move(step), node.outputs));
  }
  return {};
}

}  // namespace slipway::runtime
