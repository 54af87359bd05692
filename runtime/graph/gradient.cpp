// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "runtime/graph/dependence.h"
#include "runtime/graph/fold.h"
#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

const RuleTable& Rules() {
  static const RuleTable rules = [] {
    RuleTable all = ElementRules();
    all.merge(AttentionRules());
    all.merge(ControlRules());
    all.merge(RecurrentRules());
    all.merge(WindowRules());
    all.merge(NormalRules());
    all.merge(TensorRules());
    return all;
  }();
  return rules;
}

/// Whether the rule knows what to do with gradients of further outputs alone.
bool IsOfAnyOutput(const MadeNode& node) {
  static const std::set<std::string_view> types = {
      "Attention", "Fold", "GRU",  "If",    "LSTM",
      "Loop",      "RNN",  "Scan", "Split", "SoftmaxCrossEntropyLoss"};
  return types.contains(node.type);
}

Result<Rule> RuleFor(const MadeNode& node) {
  const bool may_have = node.domain.empty() || node.domain == kPrivateDomain;
  const auto rule = may_have ? Rules().find(node.type) : Rules().end();
  const bool is_old = node.attributes.Int("broadcast", 0) != 0;
  if (rule != Rules().end() && !is_old) return rule->second;
  return Error{.code = Code::kUnimplemented,
               .message = fmt::format("the derivative of {}.{} (opset {}), node '{}', is not "
                                      "known, and a Gradient node asks for it",
                                      DomainText(node.domain), node.type, node.opset, node.name),
               .id = "Model.UnsupportedOperator"};
}

/// Whether what a node takes there is a sequence, as far as derivatives go through sequences.
bool IsSequence(const MadeNode& node, std::size_t input) {
  if (node.domain != kPrivateDomain) return false;
  if (node.type == "StackOf") return input == 0;
  const auto first = 2 + static_cast<std::size_t>(node.attributes.Int("states", 0));
  return node.type == "Fold" && input >= first && input < node.inputs.size();
}

/// A node's inputs, and after them what graphs inside it capture.
std::vector<std::string> TakenBy(const MadeNode& node) {
  std::vector<std::string> names = node.inputs;
  for (std::string& name : CapturesOf(node)) names.push_back(std::move(name));
  return names;
}

/// Gradients on their way back to variables.
class Backward {
 public:
  Backward(Tape& tape, const std::set<std::string>& variables, const std::set<std::string>& active,
           Gradients& gradients)
      : tape_(tape), variables_(variables), active_(active), gradients_(gradients) {}

  Result<void> Through(const MadeNode& node) {
    BackStep step{.tape = tape_,
                  .node = node,
                  .active = active_,
                  .in = Values(node.inputs),
                  .out = Values(node.outputs)};
    bool has_any = false;
    for (const std::string& name : node.outputs) {
      const auto known = variables_.contains(name) ? gradients_.end() : gradients_.find(name);
      step.gradient.push_back(known == gradients_.end() ? Term{} : known->second);
      has_any |= known != gradients_.end();
    }
    if (!has_any) return {};
    const Rule rule = TRY(RuleFor(node));
    if (!step.gradient.front() && !IsOfAnyOutput(node)) {
      return proto::Invalid(
          fmt::format("node {}: its further outputs have no derivative", node.Text()));
    }
    Give(node, TRY(rule(step)));
    return tape_.effort().Check();
  }

 private:
  Terms Values(const std::vector<std::string>& names) {
    Terms terms;
    for (const std::string& name : names) terms.push_back(tape_.Value(name));
    return terms;
  }

  void Give(const MadeNode& node, const Terms& gradients) {
    const std::vector<std::string> names = TakenBy(node);
    for (std::size_t i = 0; i < gradients.size() && i < names.size(); ++i) {
      if (!gradients[i] || !active_.contains(names[i])) continue;
      Term& sum = gradients_[names[i]];
      sum = sum && IsSequence(node, i) ? SumOfItems(sum, gradients[i]) : Sum(sum, gradients[i]);
    }
  }

  Tape& tape_;
  const std::set<std::string>& variables_;
  const std::set<std::string>& active_;
  Gradients& gradients_;
};

/// One Gradient node being worked out.
class Differentiation {
 public:
  Differentiation(const GraphData& graph, const GradientRequest& request)
      : graph_(graph),
        request_(request),
        effort_{.prefix = request.prefix, .most_nodes = request.most_nodes},
        tape_(effort_) {}

  Result<std::vector<MadeNode>> Run();

 private:
  const std::string& NameOf(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)].name;
  }
  const std::string& NameNow(ValueId id) const {
    const auto known = now_.find(NameOf(id));
    return known != now_.end() ? known->second : NameOf(id);
  }
  void FindSteps();
  void RunAgain();
  void Give(const Gradients& gradients);

  const GraphData& graph_;
  const GradientRequest& request_;
  Effort effort_;
  Tape tape_;
  std::vector<MadeNode> steps_;  ///< those the target depends on, first to last
  NewNames now_;                 ///< of values that are others than the graph's
};

void Differentiation::FindSteps() {
  const std::set<ValueId> variables(request_.variables.begin(), request_.variables.end());
  std::set<ValueId> needed;
  if (!variables.contains(request_.target)) needed.insert(request_.target);
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
    if (std::ranges::none_of(node->outputs, [&](ValueId id) { return needed.contains(id); })) {
      continue;
    }
    steps_.push_back(ByNames(graph_, *node));
    for (const auto* used : {&node->inputs, &node->captures}) {
      for (const ValueId id : *used) {
        if (id != kNoValue && !variables.contains(id)) needed.insert(id);
      }
    }
  }
  std::ranges::reverse(steps_);
}

/// Steps that have other values here than in the graph run once more, with these.
void Differentiation::RunAgain() {
  for (std::size_t i = 0; i < request_.variables.size(); ++i) {
    const std::string& name = NameOf(request_.variables[i]);
    if (request_.values[i] == name) continue;
    now_[name] = tape_.Op("Identity", {tape_.Value(request_.values[i])}).name;
  }
  for (MadeNode& step : steps_) {
    const auto is_new = [&](const std::string& name) { return now_.contains(name); };
    if (std::ranges::none_of(step.inputs, is_new) &&
        std::ranges::none_of(CapturesOf(step), is_new)) {
      continue;
    }
    const Terms outputs = tape_.Copy(Renamed(step, now_));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i]) now_[step.outputs[i]] = outputs[i].name;
    }
    step = Renamed(std::move(step), now_);
  }
}

void Differentiation::Give(const Gradients& gradients) {
  for (std::size_t i = 0; i < request_.outputs.size(); ++i) {
    if (request_.outputs[i].empty()) continue;
    const auto known = gradients.find(NameNow(request_.variables[i]));
    const Term gradient =
        known != gradients.end() ? known->second : Zeros(tape_.Value(request_.values[i]));
    tape_.Name(gradient, request_.outputs[i]);
  }
}

Result<std::vector<MadeNode>> Differentiation::Run() {
  FindSteps();
  RunAgain();
  std::set<std::string> variables, discrete;
  for (const ValueId id : request_.variables) {
    if (!request_.discrete.contains(id)) variables.insert(NameNow(id));
  }
  for (const ValueId id : request_.discrete) discrete.insert(NameNow(id));
  const Term y = tape_.Value(NameNow(request_.target));
  const Term ones = SpreadTo(tape_.Number(1, y), y);
  Give(TRY(Accumulate(tape_, steps_, {{y.name, ones}}, variables, discrete)));
  return Used(std::move(tape_).Take(), request_.outputs);
}

}  // namespace

Result<Gradients> Accumulate(Tape& tape, const std::vector<MadeNode>& nodes, Gradients gradients,
                             const std::set<std::string>& variables,
                             const std::set<std::string>& discrete) {
  std::set<std::string> active = variables;
  TRY(Follow(tape.effort(), nodes, discrete, active));
  std::erase_if(gradients, [&](const auto& known) { return !active.contains(known.first); });
  Backward backward(tape, variables, active, gradients);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    TRY(backward.Through(*node));
  }
  return gradients;
}

std::set<std::string> VariablesOf(const BackStep& step) {
  const std::vector<std::string> names = TakenBy(step.node);
  std::set<std::string> variables(names.begin(), names.end());
  std::erase_if(variables, [&](const std::string& name) { return !step.active.contains(name); });
  return variables;
}

Gradients GivenTo(const BackStep& step, const Terms& outputs) {
  Gradients gradients;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!step.Gradient(i) || !outputs[i]) continue;
    Term& sum = gradients[outputs[i].name];
    sum = Sum(sum, outputs[i].tape->Value(step.gradient[i].name));
  }
  return gradients;
}

Result<Terms> BackThrough(const BackStep& step, std::size_t begin, const Terms& outputs) {
  Gradients found =
      TRY(Accumulate(step.tape, step.tape.Since(begin), GivenTo(step, outputs), VariablesOf(step)));
  Terms gradients;
  for (const std::string& name : TakenBy(step.node))
    gradients.push_back(std::exchange(found[name], Term{}));
  return gradients;
}

Result<std::vector<MadeNode>> Differentiate(const GraphData& graph,
                                            const GradientRequest& request) {
  return Differentiation(graph, request).Run();
}

std::vector<std::string> DifferentiableOperators() {
  std::vector<std::string> names;
  for (const auto& [name, rule] : Rules()) names.emplace_back(name);
  return names;
}

}  // namespace slipway::runtime
