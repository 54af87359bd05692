// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using Terms = std::vector<Term>;

/// One Gradient node being worked out.
class Accumulation {
 public:
  Accumulation(const GraphData& graph, const GradientRequest& request)
      : graph_(graph), request_(request), tape_(request.prefix) {
    for (std::size_t i = 0; i < request.variables.size(); ++i) {
      now_[request.variables[i]] = request.values[i];
    }
  }

  Result<std::vector<MadeNode>> Run();

 private:
  const std::string& NameOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].name;
  }
  /// The value in the differentiated graph, where the variables may have other values.
  std::string NameNow(ValueId id) const {
    const auto known = now_.find(id);
    return known != now_.end() ? known->second : id == kNoValue ? std::string() : NameOf(id);
  }
  Terms TermsOf(const std::vector<ValueId>& ids) {
    Terms terms;
    for (const ValueId id : ids) terms.push_back(tape_.Value(NameNow(id)));
    return terms;
  }
  MadeNode NodeNow(const NodeData& node) const;

  void FindSteps();
  Result<void> RunAgain();
  Result<void> StepBack(const NodeData& node);
  void Give();

  const GraphData& graph_;
  const GradientRequest& request_;
  Tape tape_;
  std::vector<const NodeData*> steps_;  ///< those the target depends on, first to last
  std::set<ValueId> active_;            ///< what depends on a variable
  std::map<ValueId, std::string> now_;
  std::map<ValueId, Term> gradients_;
};

bool IsAny(const std::vector<ValueId>& ids, const std::set<ValueId>& set) {
  return std::ranges::any_of(ids, [&](ValueId id) { return set.contains(id); });
}

/// Of the second input of CastLike the type alone counts.
bool DependsOn(const NodeData& node, const std::set<ValueId>& set) {
  if (node.type == "CastLike" && node.domain.empty()) return set.contains(node.inputs.front());
  return IsAny(node.inputs, set) || IsAny(node.captures, set);
}

void Accumulation::FindSteps() {
  const std::set<ValueId> variables(request_.variables.begin(), request_.variables.end());
  std::set<ValueId> needed;
  if (!variables.contains(request_.target)) needed.insert(request_.target);
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
    if (!IsAny(node->outputs, needed)) continue;
    steps_.push_back(&*node);
    for (const auto* used : {&node->inputs, &node->captures}) {
      for (const ValueId id : *used) {
        if (id != kNoValue && !variables.contains(id)) needed.insert(id);
      }
    }
  }
  std::ranges::reverse(steps_);
  const auto activate = [&](ValueId id) {
    if (id != kNoValue && !request_.discrete.contains(id)) active_.insert(id);
  };
  for (const ValueId id : variables) activate(id);
  std::erase_if(steps_, [&](const NodeData* node) {
    if (!DependsOn(*node, active_)) return true;
    for (const ValueId id : node->outputs) activate(id);
    return false;
  });
}

MadeNode Accumulation::NodeNow(const NodeData& node) const {
  MadeNode made{
      .type = node.type, .domain = node.domain, .opset = node.opset, .attributes = node.attributes};
  for (const ValueId id : node.inputs) made.inputs.push_back(NameNow(id));
  for (const ValueId id : node.outputs) made.outputs.push_back(NameNow(id));
  return made;
}

Result<void> Accumulation::RunAgain() {
  std::set<ValueId> changed;
  for (const ValueId id : request_.variables) {
    if (now_.at(id) != NameOf(id)) changed.insert(id);
  }
  for (const NodeData* node : steps_) {
    if (IsAny(node->captures, changed)) {
      return proto::Invalid(fmt::format(
          "node {}: a graph inside it cannot be run again with other values", NodeText(*node)));
    }
    if (!IsAny(node->inputs, changed)) continue;
    const Terms outputs = tape_.Copy(NodeNow(*node));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i]) continue;
      now_[node->outputs[i]] = outputs[i].name;
      changed.insert(node->outputs[i]);
    }
  }
  return {};
}

const RuleTable& Rules() {
  static const RuleTable rules = [] {
    RuleTable all = ElementRules();
    all.merge(AttentionRules());
    all.merge(WindowRules());
    all.merge(NormalRules());
    all.merge(TensorRules());
    return all;
  }();
  return rules;
}

Result<void> Accumulation::StepBack(const NodeData& node) {
  const MadeNode made = NodeNow(node);
  BackStep step{
      .tape = tape_, .node = made, .in = TermsOf(node.inputs), .out = TermsOf(node.outputs)};
  bool has_any = false;
  for (const ValueId id : node.outputs) {
    const auto known = gradients_.find(id);
    step.gradient.push_back(known == gradients_.end() ? Term{} : known->second);
    has_any |= known != gradients_.end();
  }
  if (!has_any) return {};
  const bool may_have = node.domain.empty() || node.domain == kPrivateDomain;
  const auto rule = may_have ? Rules().find(node.type) : Rules().end();
  const bool is_old = node.attributes.Int("broadcast", 0) != 0;
  if (rule == Rules().end() || is_old) {
    return Error{.code = Code::kUnimplemented,
                 .message = fmt::format("the derivative of {}.{} (opset {}), node '{}', is not "
                                        "known, and a Gradient node asks for it",
                                        DomainText(node.domain), node.type, node.opset, node.name),
                 .id = "Model.UnsupportedOperator"};
  }
  static constexpr std::string_view kOfAny[] = {"Attention", "Split", "SoftmaxCrossEntropyLoss"};
  if (!step.gradient.front() && std::ranges::find(kOfAny, node.type) == std::end(kOfAny)) {
    return proto::Invalid(
        fmt::format("node {}: its further outputs have no derivative", NodeText(node)));
  }
  const Terms gradients = TRY(rule->second(step));
  for (std::size_t i = 0; i < gradients.size() && i < node.inputs.size(); ++i) {
    if (!gradients[i] || !active_.contains(node.inputs[i])) continue;
    Term& sum = gradients_[node.inputs[i]];
    sum = sum ? sum + gradients[i] : gradients[i];
  }
  return {};
}

void Accumulation::Give() {
  for (std::size_t i = 0; i < request_.outputs.size(); ++i) {
    if (request_.outputs[i].empty()) continue;
    const auto known = gradients_.find(request_.variables[i]);
    const Term x = tape_.Value(request_.values[i]);
    const Term gradient =
        known != gradients_.end() ? known->second : SpreadTo(tape_.Number(0, x), x);
    tape_.Name(gradient, request_.outputs[i]);
  }
}

/// Without the nodes that nothing uses.
std::vector<MadeNode> Used(std::vector<MadeNode> nodes, const std::vector<std::string>& outputs) {
  std::set<std::string> used(outputs.begin(), outputs.end());
  used.erase("");
  std::vector<MadeNode> kept;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const auto is_used = [&](const std::string& name) { return used.contains(name); };
    if (std::ranges::none_of(node->outputs, is_used)) continue;
    used.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  std::ranges::reverse(kept);
  return kept;
}

Result<std::vector<MadeNode>> Accumulation::Run() {
  FindSteps();
  TRY(RunAgain());
  const Term y = tape_.Value(NameNow(request_.target));
  gradients_[request_.target] = SpreadTo(tape_.Number(1, y), y);
  for (auto node = steps_.rbegin(); node != steps_.rend(); ++node) {
    TRY(StepBack(**node));
    if (tape_.size() > request_.most_nodes) {
      return proto::Invalid(fmt::format("derivatives of {} nodes take more than {}", steps_.size(),
                                        request_.most_nodes));
    }
  }
  Give();
  return Used(std::move(tape_).Take(), request_.outputs);
}

}  // namespace

Result<std::vector<MadeNode>> Differentiate(const GraphData& graph,
                                            const GradientRequest& request) {
  return Accumulation(graph, request).Run();
}

std::vector<std::string> DifferentiableOperators() {
  std::vector<std::string> names;
  for (const auto& [name, rule] : Rules()) names.emplace_back(name);
  return names;
}

}  // namespace slipway::runtime
