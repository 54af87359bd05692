// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/rewriter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/graph/signature.h"

namespace slipway::runtime {
namespace {

std::size_t At(ValueId id) { return static_cast<std::size_t>(id); }

/// The graph with every capture called `from` called `to` instead.
std::shared_ptr<const GraphData> WithCapture(const std::shared_ptr<const GraphData>& graph,
                                             const std::string& from, const std::string& to);

Attribute WithCapture(const Attribute& attribute, const std::string& from, const std::string& to) {
  if (const auto* one = std::get_if<std::shared_ptr<const GraphData>>(&attribute)) {
    return WithCapture(*one, from, to);
  }
  if (const auto* list = std::get_if<std::vector<std::shared_ptr<const GraphData>>>(&attribute)) {
    auto graphs = *list;
    for (auto& graph : graphs) graph = WithCapture(graph, from, to);
    return graphs;
  }
  return attribute;
}

void RenameCaptures(NodeData& node, const std::string& from, const std::string& to) {
  Attributes attributes;
  for (const auto& [name, value] : node.attributes) {
    attributes.Set(name, WithCapture(value, from, to));
  }
  node.attributes = std::move(attributes);
}

std::shared_ptr<const GraphData> WithCapture(const std::shared_ptr<const GraphData>& graph,
                                             const std::string& from, const std::string& to) {
  const auto found = std::ranges::find_if(
      graph->captures, [&](ValueId id) { return graph->values[At(id)].name == from; });
  if (found == graph->captures.end()) return graph;
  auto copy = std::make_shared<GraphData>(*graph);
  copy->values[At(*found)].name = to;
  for (NodeData& node : copy->nodes) {
    if (!node.captures.empty()) RenameCaptures(node, from, to);
  }
  return copy;
}

/// Finds the operator that a node names.
Result<void> Resolve(NodeData& data) {
  data.op = FindOp(data.domain, data.type, data.opset);
  if (data.op == nullptr) {
    return Error{.code = Code::kInternal, .message = fmt::format("no operator {}", data.type)};
  }
  data.schema = std::make_shared<const Schema>(TRY(ParseSchema(*data.op)));
  TRY(CheckArity(*data.schema, data.inputs, data.outputs));
  return CheckAttributes(*data.schema, data.attributes);
}

}  // namespace

Rewriter::Rewriter(GraphData& graph, const KernelChoice& choice, DeviceContext& device,
                   std::span<const ValueFacts> facts)
    : graph_(graph), choice_(choice), device_(device), facts_(facts) {
  Index();
}

void Rewriter::AddUse(ValueId id, std::size_t node) {
  if (id == kNoValue) return;
  ++uses_[At(id)];
  users_[At(id)].push_back(node);
}

void Rewriter::Index() {
  removed_.assign(graph_.nodes.size(), false);
  producer_.assign(graph_.values.size(), -1);
  uses_.assign(graph_.values.size(), 0);
  users_.assign(graph_.values.size(), {});
  is_output_.assign(graph_.values.size(), false);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (ValueId id : graph_.nodes[i].outputs) {
      if (id != kNoValue) producer_[At(id)] = static_cast<std::int64_t>(i);
    }
    for (const auto* ids : {&graph_.nodes[i].inputs, &graph_.nodes[i].captures}) {
      for (ValueId id : *ids) AddUse(id, i);
    }
  }
  for (ValueId id : graph_.outputs) {
    ++uses_[At(id)];
    is_output_[At(id)] = true;
  }
}

std::int64_t Rewriter::Producer(ValueId id) const {
  return id == kNoValue ? -1 : producer_[At(id)];
}
std::int64_t Rewriter::Uses(ValueId id) const { return uses_[At(id)]; }
bool Rewriter::IsOutput(ValueId id) const { return is_output_[At(id)]; }

std::int64_t Rewriter::OnlyUser(ValueId id) const {
  if (id == kNoValue || uses_[At(id)] != 1 || IsOutput(id)) return -1;
  for (std::size_t user : users_[At(id)]) {
    const auto& inputs = graph_.nodes[user].inputs;
    if (removed_[user] || std::ranges::find(inputs, id) == inputs.end()) continue;
    return static_cast<std::int64_t>(user);
  }
  return -1;
}

const Tensor* Rewriter::Constant(ValueId id) const {
  if (id == kNoValue || !graph_.values[At(id)].is_constant()) return nullptr;
  return &graph_.values[At(id)].constant;
}

const ValueFacts* Rewriter::Facts(ValueId id) const {
  return id != kNoValue && At(id) < facts_.size() ? &facts_[At(id)] : nullptr;
}

ValueId Rewriter::Input(std::size_t node, std::size_t index) const {
  const auto& inputs = graph_.nodes[node].inputs;
  return index < inputs.size() ? inputs[index] : kNoValue;
}

ValueId Rewriter::AddConstant(std::string name, Tensor tensor) {
  const ValueId id = AddResult(std::move(name));
  graph_.values[At(id)].constant = std::move(tensor);
  return id;
}

ValueId Rewriter::AddResult(std::string name) {
  const ValueId id = AddValue(graph_, std::move(name));
  producer_.push_back(-1);
  uses_.push_back(0);
  users_.emplace_back();
  is_output_.push_back(false);
  return id;
}

void Rewriter::MakeConstant(ValueId id, Tensor tensor) {
  const std::int64_t from = producer_[At(id)];
  if (from >= 0) {
    std::ranges::replace(graph_.nodes[static_cast<std::size_t>(from)].outputs, id, kNoValue);
  }
  producer_[At(id)] = -1;
  graph_.values[At(id)].constant = std::move(tensor);
}

void Rewriter::SetInput(std::size_t node, std::size_t index, ValueId id) {
  auto& inputs = graph_.nodes[node].inputs;
  if (index >= inputs.size()) inputs.resize(index + 1, kNoValue);
  if (inputs[index] != kNoValue) --uses_[At(inputs[index])];
  inputs[index] = id;
  AddUse(id, node);
}

void Rewriter::Remove(std::size_t node) {
  if (removed_[node]) return;
  removed_[node] = true;
  for (const auto* ids : {&graph_.nodes[node].inputs, &graph_.nodes[node].captures}) {
    for (ValueId id : *ids) {
      if (id != kNoValue) --uses_[At(id)];
    }
  }
  for (ValueId id : graph_.nodes[node].outputs) {
    if (id != kNoValue && producer_[At(id)] == static_cast<std::int64_t>(node)) {
      producer_[At(id)] = -1;
    }
  }
}

bool Rewriter::ReplaceUses(ValueId from, ValueId to) {
  if (from == kNoValue || to == kNoValue || IsOutput(from)) return false;
  const std::vector<std::size_t> users = std::exchange(users_[At(from)], {});
  for (std::size_t user : users) {
    if (removed_[user]) continue;
    NodeData& node = graph_.nodes[user];
    for (ValueId& id : node.inputs) {
      if (id != from) continue;
      id = to;
      --uses_[At(from)];
      AddUse(to, user);
    }
    ReplaceCapture(user, from, to);
  }
  return true;
}

void Rewriter::ReplaceCapture(std::size_t user, ValueId from, ValueId to) {
  NodeData& node = graph_.nodes[user];
  const auto captured = std::ranges::find(node.captures, from);
  if (captured == node.captures.end()) return;
  RenameCaptures(node, graph_.values[At(from)].name, graph_.values[At(to)].name);
  --uses_[At(from)];
  if (std::ranges::find(node.captures, to) != node.captures.end()) {
    node.captures.erase(captured);
  } else {
    *captured = to;
    AddUse(to, user);
  }
}

void Rewriter::SetOutput(std::size_t node, ValueId before, ValueId now) {
  std::ranges::replace(graph_.nodes[node].outputs, before, now);
  producer_[At(before)] = -1;
  producer_[At(now)] = static_cast<std::int64_t>(node);
}

void Rewriter::BecomeLike(std::size_t node, std::size_t other, std::vector<ValueId> inputs) {
  NodeData& data = graph_.nodes[node];
  for (ValueId id : data.inputs) {
    if (id != kNoValue) --uses_[At(id)];
  }
  for (ValueId id : inputs) AddUse(id, node);
  std::vector<ValueId> outputs = std::move(data.outputs);
  data = graph_.nodes[other];
  data.inputs = std::move(inputs);
  data.outputs = std::move(outputs);
}

Result<void> Rewriter::SetOperator(std::size_t node, std::string domain, std::string type,
                                   int opset) {
  NodeData& data = graph_.nodes[node];
  data.domain = std::move(domain);
  data.type = std::move(type);
  data.opset = opset;
  return Resolve(data);
}

Result<void> Rewriter::Insert(std::size_t position, NodeData node) {
  TRY(Resolve(node));
  for (const auto* ids : {&node.inputs, &node.captures}) {
    for (ValueId id : *ids) {
      if (id != kNoValue) ++uses_[At(id)];
    }
  }
  inserted_.emplace(position, std::move(node));
  return {};
}

Result<std::vector<Value>> Rewriter::Evaluate(std::size_t node) {
  std::vector<const Tensor*> inputs;
  for (ValueId id : graph_.nodes[node].inputs) inputs.push_back(Constant(id));
  return EvaluateNode(graph_.nodes[node], inputs, choice_, device_);
}

std::int64_t Rewriter::Finish() {
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    const bool used = std::ranges::any_of(graph_.nodes[i].outputs, [&](ValueId id) {
      return id != kNoValue && uses_[At(id)] > 0 &&
             producer_[At(id)] == static_cast<std::int64_t>(i);
    });
    if (!used) Remove(i);
  }
  std::vector<NodeData> kept;
  const auto gone = static_cast<std::int64_t>(std::ranges::count(removed_, true));
  for (std::size_t i = 0; i <= graph_.nodes.size(); ++i) {
    const auto [first, last] = inserted_.equal_range(i);
    for (auto it = first; it != last; ++it) kept.push_back(std::move(it->second));
    if (i < graph_.nodes.size() && !removed_[i]) kept.push_back(std::move(graph_.nodes[i]));
  }
  inserted_.clear();
  graph_.nodes = std::move(kept);
  for (std::size_t i = 0; i < graph_.values.size(); ++i) {
    if (uses_[i] == 0) graph_.values[i].constant = {};
  }
  Index();
  return gone;
}

}  // namespace slipway::runtime
