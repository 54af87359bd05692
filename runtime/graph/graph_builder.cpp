// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/graph_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using proto::Invalid;

constexpr std::int64_t kMaxInlinedNodes = 250'000;
constexpr std::size_t kMaxPrefixChars = 200;

std::string NodeName(const proto::Node& node, const FunctionCall* call, std::int64_t index) {
  const std::string own =
      node.name.empty() ? fmt::format("{}_{}", node.type, index) : std::string(node.name);
  return call == nullptr ? own : call->prefix + own;
}

/// Of a graph and the graphs inside it.
std::int64_t CountNodes(const GraphData& graph) {
  auto count = static_cast<std::int64_t>(graph.nodes.size());
  for (const NodeData& node : graph.nodes) {
    for (const auto& inner : SubgraphsOf(node)) count += CountNodes(*inner);
  }
  return count;
}

}  // namespace

GraphBuilder::GraphBuilder(const proto::Model& model, bool allow_unsupported,
                           const ModelLimits& limits)
    : model_(model),
      allow_unsupported_(allow_unsupported),
      limits_(limits),
      opsets_(model.info.opsets) {
  for (const proto::Function& function : model.functions) {
    functions_[{function.domain, function.name, function.overload}] = &function;
  }
  if (opsets_.empty()) opsets_.emplace_back("", 1);
}

Result<std::shared_ptr<GraphData>> GraphBuilder::BuildModel() {
  return BuildGraph(*model_.graph, nullptr, nullptr);
}

Result<ValueId> GraphBuilder::Define(Scope& scope, std::string name) {
  const auto id = static_cast<ValueId>(scope.graph->values.size());
  if (!scope.names.emplace(name, id).second) {
    return Invalid(fmt::format("value '{}' is made twice", name));
  }
  return AddValue(*scope.graph, std::move(name));
}

ValueId GraphBuilder::Lookup(Scope& scope, const std::string& name) {
  if (const auto known = scope.names.find(name); known != scope.names.end()) return known->second;
  for (const Scope* outer = scope.parent; outer != nullptr; outer = outer->parent) {
    if (!outer->names.contains(name)) continue;
    const ValueId id = AddValue(*scope.graph, name);
    scope.graph->captures.push_back(id);
    scope.names.emplace(name, id);
    return id;
  }
  return kNoValue;
}

Error GraphBuilder::Undefined(const Scope& scope, const NodeData& data, const std::string& name) {
  for (const proto::Node& later : scope.source->nodes) {
    if (std::ranges::find(later.outputs, name) == later.outputs.end()) continue;
    return Invalid(fmt::format(
        "node {} uses '{}' before node {} '{}' makes it: nodes must be sorted, without cycles",
        NodeText(data), name, later.type, later.name));
  }
  return Invalid(fmt::format("node {} uses '{}', which no node, input or initializer makes",
                             NodeText(data), name));
}

Result<std::shared_ptr<GraphData>> GraphBuilder::BuildGraph(const proto::Graph& source,
                                                            Scope* parent, const FunctionCall* call,
                                                            const MadeNodes* made) {
  auto graph = std::make_shared<GraphData>();
  graph->name = source.name;
  Scope scope{.graph = graph.get(), .parent = parent, .source = &source};
  ++depth_;
  auto filled = Fill(source, scope, call, made);
  --depth_;
  if (!filled) return std::move(filled).error();
  return graph;
}

Result<void> GraphBuilder::Fill(const proto::Graph& source, Scope& scope, const FunctionCall* call,
                                const MadeNodes* made) {
  if (depth_ > limits_.depth) {
    return Invalid(fmt::format("graphs and functions nested deeper than {}", limits_.depth));
  }
  TRY(AddDeclared(source, scope, call));
  for (const proto::Node& node : source.nodes) TRY(AddNode(node, scope, call));
  if (made != nullptr) TRY(PlaceMade(scope, *made));
  return AddOutputs(source, scope, call);
}

Result<void> GraphBuilder::AddDeclared(const proto::Graph& source, Scope& scope,
                                       const FunctionCall* call) {
  GraphData& graph = *scope.graph;
  for (const proto::NamedTensor& initializer : source.initializers) {
    if (initializer.name.empty()) return Invalid("an initializer without a name");
    const std::string name = NameIn(call, initializer.name);
    const auto known = scope.names.find(name);
    const ValueId id = known != scope.names.end() ? known->second : TRY(Define(scope, name));
    graph.values[static_cast<std::size_t>(id)].constant = initializer.tensor;
    scope.types[id] = TensorFacts(initializer.tensor.dtype());
  }
  std::set<std::string_view> inputs;
  for (const ValueInfo& input : source.inputs) {
    if (input.name.empty()) return Invalid("an input without a name");
    if (!inputs.insert(input.name).second) {
      return Invalid(fmt::format("input '{}' is declared twice", input.name));
    }
    const std::string name = NameIn(call, input.name);
    const auto known = scope.names.find(name);
    if (known != scope.names.end() && scope.parent == nullptr) {
      graph.overridable.push_back(known->second);
      graph.overridable_infos.push_back(input);
      continue;
    }
    const ValueId id = known != scope.names.end() ? known->second : TRY(Define(scope, name));
    graph.values[static_cast<std::size_t>(id)].constant = {};
    graph.inputs.push_back(id);
    const bool is_typed = scope.parent == nullptr && input.type.dtype != DType::kUndefined;
    if (is_typed && input.type.kind == TypeInfo::Kind::kTensor) {
      scope.types[id] = TensorFacts(input.type.dtype);
    }
    graph.input_infos.push_back(input);
  }
  return {};
}

Result<void> GraphBuilder::AddOutputs(const proto::Graph& source, Scope& scope,
                                      const FunctionCall* call) {
  for (const ValueInfo& output : source.outputs) {
    const std::string name = NameIn(call, output.name);
    const ValueId id = name.empty() ? kNoValue : Lookup(scope, name);
    if (id == kNoValue) {
      return Invalid(fmt::format("output '{}' is made by no node", output.name));
    }
    scope.graph->outputs.push_back(id);
    scope.graph->output_infos.push_back(output);
  }
  return {};
}

Result<int> GraphBuilder::OpsetOf(std::string_view domain, const FunctionCall* call) const {
  for (const FunctionCall* at = call; at != nullptr; at = at->caller) {
    for (const auto& [known, version] : at->function->opsets) {
      if (known == domain) return Narrow<int>(version);
    }
  }
  for (const auto& [known, version] : opsets_) {
    if (known == domain) return Narrow<int>(version);
  }
  return Invalid(
      fmt::format("domain '{}' is used and not among the opset imports", DomainText(domain)));
}

Result<void> GraphBuilder::AddNode(const proto::Node& node, Scope& scope,
                                   const FunctionCall* call) {
  if (node.type.empty()) return Invalid(fmt::format("node '{}' has no operator", node.name));
  const auto function = functions_.find({node.domain, node.type, node.overload});
  if (function != functions_.end()) return Inline(*function->second, node, scope, call);
  TRY(CountNode(call != nullptr));
  NodeData data{.name = NodeName(node, call, nodes_ - 1),
                .domain = std::string(node.domain),
                .type = std::string(node.type)};
  auto opset = OpsetOf(node.domain, call);
  if (!opset) return Within(fmt::format("node {}", NodeText(data)), std::move(opset).error());
  data.opset = *opset;
  std::vector<std::string> inputs, outputs;
  for (std::string_view input : node.inputs) inputs.push_back(NameIn(call, input));
  for (std::string_view output : node.outputs) outputs.push_back(NameIn(call, output));
  TRY(Connect(scope, data, inputs));
  TRY(AddAttributes(node, scope, call, data));
  if (data.type == "Gradient" && data.domain == "ai.onnx.preview.training") {
    return AddGradient(std::move(data), scope, call, inputs, outputs);
  }
  return Place(scope, std::move(data), outputs);
}

std::int64_t GraphBuilder::MostMadeNodes() const {
  return std::min(limits_.nodes, kMaxInlinedNodes);
}

Result<void> GraphBuilder::CountNode(bool made) {
  if (++nodes_ <= (made ? MostMadeNodes() : limits_.nodes)) return {};
  return Invalid(fmt::format("more than {} nodes", nodes_ - 1));
}

Result<void> GraphBuilder::Connect(Scope& scope, NodeData& data,
                                   const std::vector<std::string>& inputs) {
  for (const std::string& name : inputs) {
    const ValueId id = name.empty() ? kNoValue : Lookup(scope, name);
    if (id == kNoValue && !name.empty()) return Undefined(scope, data, name);
    data.inputs.push_back(id);
  }
  return {};
}

Result<void> GraphBuilder::Place(Scope& scope, NodeData data,
                                 const std::vector<std::string>& outputs) {
  TRY(AddCaptures(scope, data));
  for (const std::string& name : outputs) {
    if (name.empty()) {
      data.outputs.push_back(kNoValue);
      continue;
    }
    auto id = Define(scope, name);
    if (!id) return Within(fmt::format("node {}", NodeText(data)), std::move(id).error());
    data.outputs.push_back(*id);
  }
  TRY(CheckNode(scope, data));
  for (const auto& inner : SubgraphsOf(data)) scope.inner_nodes += CountNodes(*inner);
  scope.graph->nodes.push_back(std::move(data));
  return {};
}

Result<void> GraphBuilder::AddAttributes(const proto::Node& node, Scope& scope,
                                         const FunctionCall* call, NodeData& data) {
  for (const proto::Attribute& written : node.attributes) {
    const auto bound = ResolveAttribute(call, written);
    if (bound.attribute == nullptr) continue;
    const proto::Attribute& attribute = *bound.attribute;
    if (data.attributes.Has(written.name)) {
      return Invalid(
          fmt::format("node {}: attribute '{}' is there twice", NodeText(data), written.name));
    }
    if (attribute.value) {
      data.attributes.Set(std::string(written.name), *attribute.value);
      continue;
    }
    std::vector<std::shared_ptr<const GraphData>> graphs;
    for (const auto& graph : attribute.graphs) {
      auto built = BuildGraph(*graph, &scope, bound.scope);
      if (!built) {
        return Within(fmt::format("node {}: {}", NodeText(data), written.name),
                      std::move(built).error());
      }
      graphs.push_back(*std::move(built));
    }
    if (attribute.is_list) {
      data.attributes.Set(std::string(written.name), std::move(graphs));
    } else {
      data.attributes.Set(std::string(written.name), std::move(graphs.front()));
    }
  }
  return {};
}

Result<void> GraphBuilder::AddCaptures(Scope& scope, NodeData& data) {
  std::set<ValueId> seen;
  for (const auto& graph : SubgraphsOf(data)) {
    for (ValueId inner : graph->captures) {
      const ValueId outer = Lookup(scope, graph->values[static_cast<std::size_t>(inner)].name);
      SLIPWAY_CHECK(outer != kNoValue);
      if (seen.insert(outer).second) data.captures.push_back(outer);
    }
  }
  return {};
}

Result<void> GraphBuilder::Inline(const proto::Function& function, const proto::Node& node,
                                  Scope& scope, const FunctionCall* call) {
  if (IsRunning(call, function)) {
    return Invalid(
        fmt::format("function {}.{} calls itself", DomainText(function.domain), function.name));
  }
  if (++calls_ > kMaxInlinedNodes) {
    return Invalid(fmt::format("more than {} calls of functions", kMaxInlinedNodes));
  }
  std::string prefix = fmt::format("{}{}#{}/", call == nullptr ? "" : call->prefix,
                                   node.name.empty() ? node.type : node.name, calls_);
  if (prefix.size() > kMaxPrefixChars) prefix = fmt::format("call#{}/", calls_);
  const FunctionCall inner = TRY(BindCall(function, node, call, std::move(prefix)));
  TRY(AddPassThrough(function, inner, node, scope));
  ++depth_;
  auto added = AddBody(function, scope, inner);
  --depth_;
  if (added) return {};
  return Within(fmt::format("function {}", function.name), std::move(added).error());
}

Result<void> GraphBuilder::AddBody(const proto::Function& function, Scope& scope,
                                   const FunctionCall& call) {
  if (depth_ > limits_.depth) {
    return Invalid(fmt::format("graphs and functions nested deeper than {}", limits_.depth));
  }
  for (const proto::Node& step : function.nodes) TRY(AddNode(step, scope, &call));
  return {};
}

Result<void> GraphBuilder::AddPassThrough(const proto::Function& function, const FunctionCall& call,
                                          const proto::Node& node, Scope& scope) {
  for (std::size_t i = 0; i < function.outputs.size() && i < node.outputs.size(); ++i) {
    if (std::ranges::find(function.inputs, function.outputs[i]) == function.inputs.end()) continue;
    proto::Node copy{.type = "Identity"};
    const std::string from = NameIn(&call, function.outputs[i]);
    const std::string to = NameIn(call.caller, node.outputs[i]);
    copy.inputs = {from};
    copy.outputs = {to};
    TRY(AddNode(copy, scope, nullptr));
  }
  return {};
}

Result<void> GraphBuilder::FindOperator(NodeData& data) {
  const bool is_private = data.domain == kPrivateDomain;
  if (!is_private) data.op = FindOp(data.domain, data.type, data.opset);
  if (data.op != nullptr || allow_unsupported_) return {};
  Error error{.code = Code::kUnimplemented,
              .message = fmt::format("operator {}.{} (opset {}) of node '{}' is not supported",
                                     DomainText(data.domain), data.type, data.opset, data.name),
              .id = "Model.UnsupportedOperator"};
  const auto versions =
      is_private ? std::vector<const OpDef*>() : VersionsOf(data.domain, data.type);
  if (!versions.empty()) {
    error.fix = fmt::format("{} is supported from opset {}", data.type, versions.back()->since);
  } else if (const std::string near = NearestOp(data.domain, data.type); !near.empty()) {
    error.fix = fmt::format("the nearest supported operator is {}", near);
  }
  return error;
}

Result<void> GraphBuilder::CheckTypesOf(Scope& scope, const NodeData& data) {
  std::vector<ValueFacts> inputs;
  std::vector<bool> known;
  for (ValueId id : data.inputs) {
    const auto type = scope.types.find(id);
    known.push_back(type != scope.types.end());
    inputs.push_back(known.back() ? type->second : ValueFacts{});
  }
  const auto outputs = TRY(CheckTypes(*data.schema, *data.op, inputs, known, data.outputs.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool is_known =
        outputs[i].kind == TypeInfo::Kind::kTensor && outputs[i].dtype != DType::kUndefined;
    if (is_known && data.outputs[i] != kNoValue) scope.types[data.outputs[i]] = outputs[i];
  }
  return {};
}

Result<void> GraphBuilder::CheckNode(Scope& scope, NodeData& data) {
  TRY(FindOperator(data));
  if (data.op == nullptr) return {};
  auto known = schemas_.find(data.op);
  if (known == schemas_.end()) {
    auto schema = std::make_shared<const Schema>(TRY(ParseSchema(*data.op)));
    known = schemas_.emplace(data.op, std::move(schema)).first;
  }
  data.schema = known->second;
  auto checked = CheckArity(*data.schema, data.inputs, data.outputs);
  if (checked) checked = CheckAttributes(*data.schema, data.attributes);
  if (checked) checked = CheckTypesOf(scope, data);
  if (checked) return {};
  return Within(
      fmt::format("node {} ({}, opset {})", NodeText(data), DomainText(data.domain), data.opset),
      std::move(checked).error());
}

}  // namespace slipway::runtime
