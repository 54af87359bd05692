// SPDX-License-Identifier: Apache-2.0
// Scan whose steps do not depend on one another and whose body computes element by element and
// reduces: its nodes run once for all steps, on tensors with the steps as their first axis. So do
// distances between all pairs of rows become one subtraction and one sum.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string_view>
#include <vector>

#include "runtime/graph/planned_facts.h"
#include "runtime/graph/rewriter.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

using Ints = std::vector<std::int64_t>;

/// Elements of all steps of a value: what is larger gains nothing by being there at once.
constexpr std::int64_t kMostElements = std::int64_t{1} << 20;
constexpr int kReshapeOpset = 13;
constexpr int kIdentityOpset = 25;

/// Operators whose output has at each place what the inputs have there, which broadcast: sorted.
constexpr auto kByElement = std::to_array<std::string_view>({
    "Abs",  "Add",   "And",     "Cast",     "Ceil", "Div",        "Equal", "Erf",
    "Exp",  "Floor", "Greater", "Identity", "Less", "Log",        "Max",   "Min",
    "Mul",  "Neg",   "Not",     "Or",       "Pow",  "Reciprocal", "Relu",  "Sigmoid",
    "Sign", "Sqrt",  "Sub",     "Sum",      "Tanh", "Where",      "Xor",
});
constexpr std::string_view kReductions[] = {"ReduceL1",   "ReduceL2",       "ReduceMax",
                                            "ReduceMean", "ReduceMin",      "ReduceProd",
                                            "ReduceSum",  "ReduceSumSquare"};

bool AreZero(const Ints& list) {
  return std::ranges::all_of(list, [](std::int64_t number) { return number == 0; });
}

/// Whether all tensors are gone through forward along their first axis.
bool IsPlain(const NodeData& node) {
  for (const char* name :
       {"scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"}) {
    if (!AreZero(node.attributes.Ints(name, {}))) return false;
  }
  return true;
}

/// A value of the body: where it is now, and what one step has of it.
struct Spread {
  ValueId id = kNoValue;
  bool by_step = false;  ///< the steps are its first axis
  ValueFacts facts = {};
};

class Scan {
 public:
  Scan(Rewriter& graph, std::size_t index, const GraphData& body)
      : graph_(graph), index_(index), body_(body), values_(body.values.size()) {}

  /// Whether the nodes of the body came in the place of the Scan. Nothing is changed if not.
  Result<bool> Take() {
    if (!TakeInputs() || !TakeCaptures()) return false;
    if (!TRY(Infer()) || !HasPlainStates()) return false;
    const NodeData scan = graph_.node(index_);
    graph_.Remove(index_);
    for (const NodeData& node : body_.nodes) TRY(Insert(node));
    for (std::size_t k = 0; k < scan.outputs.size(); ++k) {
      if (scan.outputs[k] == kNoValue) continue;
      const ValueId from = values_[At(body_.outputs[k])].id;
      TRY(graph_.Insert(index_, {.name = scan.name + "/output" + std::to_string(k),
                                 .type = "Identity",
                                 .opset = kIdentityOpset,
                                 .inputs = {from},
                                 .outputs = {scan.outputs[k]}}));
    }
    return true;
  }

 private:
  Spread& Of(ValueId id) { return values_[At(id)]; }

  /// The inputs of the body, as the Scan has them.
  bool TakeInputs() {
    const NodeData& scan = graph_.node(index_);
    const auto facts = FactsOfNode(graph_, scan);
    const std::int64_t count = scan.attributes.Int("num_scan_inputs", 0);
    const auto all = static_cast<std::int64_t>(scan.inputs.size());
    if (!facts || count < 1 || count > all || body_.inputs.size() != scan.inputs.size() ||
        body_.outputs.size() < scan.outputs.size()) {
      return false;
    }
    states_ = At(all - count);
    if (body_.outputs.size() < states_) return false;
    for (std::size_t i = 0; i < scan.inputs.size(); ++i) {
      if (scan.inputs[i] == kNoValue) return false;
      Spread& value = Of(body_.inputs[i]);
      value = {.id = scan.inputs[i], .by_step = i >= states_, .facts = facts->inputs[i]};
      if (value.facts.kind != TypeInfo::Kind::kTensor) return false;
      if (i < states_) continue;
      Shape& shape = *value.facts.shape;
      if (shape.empty() || (i > states_ && shape[0] != steps_)) return false;
      steps_ = shape[0];
      shape.erase(shape.begin());
      value.facts.constant = nullptr;
    }
    return steps_ > 0;
  }

  bool TakeCaptures() {
    std::map<std::string_view, ValueId> outer;
    for (ValueId id : graph_.node(index_).captures) {
      outer.emplace(graph_.graph().values[At(id)].name, id);
    }
    for (ValueId id : body_.captures) {
      const auto found = outer.find(body_.values[At(id)].name);
      const ValueFacts* facts = found == outer.end() ? nullptr : graph_.Facts(found->second);
      if (facts == nullptr || !facts->shape) return false;
      Of(id) = {.id = found->second, .by_step = false, .facts = *facts};
    }
    return true;
  }

  /// What one step has of every value. False where a node cannot run for all steps at once.
  Result<bool> Infer() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const Tensor& constant = body_.values[i].constant;
      if (!body_.values[i].is_constant()) continue;
      values_[i].facts = TensorFacts(constant.dtype(), constant.shape());
      values_[i].facts.constant = &constant;
    }
    for (const NodeData& node : body_.nodes) {
      if (!TRY(InferNode(node))) return false;
    }
    return true;
  }

  Result<bool> InferNode(const NodeData& node) {
    std::vector<ValueFacts> inputs;
    bool by_step = false;
    for (ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue ? ValueFacts{} : Of(id).facts);
      if (id == kNoValue) continue;
      if (!inputs.back().shape) return false;
      by_step = by_step || Of(id).by_step;
    }
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kNoValue ||
        !node.captures.empty() || !SubgraphsOf(node).empty()) {
      return false;
    }
    const bool by_element = std::ranges::binary_search(kByElement, node.type);
    if (!by_element && !IsReduction(node)) return false;
    NodeFacts facts = MakeFacts(node, std::move(inputs));
    const auto outputs = InferOutputs(node, facts);
    // What is wrong with the node is told where it runs.
    if (!outputs || !outputs->front().shape) return false;
    const Shape& shape = *outputs->front().shape;
    const auto size = ElementCount(shape);
    if (!size || *size == 0 || *size > kMostElements / steps_) return false;
    Spread& value = Of(node.outputs[0]);
    value.by_step = by_step;
    value.facts = outputs->front();
    return true;
  }

  /// Whether the axes of a reduction are known.
  bool IsReduction(const NodeData& node) {
    if (std::ranges::find(kReductions, node.type) == std::end(kReductions)) return false;
    if (node.attributes.Int("noop_with_empty_axes", 0) != 0) return false;
    const bool given = node.inputs.size() > 1 && node.inputs[1] != kNoValue;
    return !given || Of(node.inputs[1]).facts.constant != nullptr;
  }

  /// Whether states leave a step as they came, and what is made of the steps depends on them.
  bool HasPlainStates() const {
    for (std::size_t k = 0; k < body_.outputs.size(); ++k) {
      const ValueId made = SourceOf(body_.outputs[k]);
      if (k < states_ ? made != body_.inputs[k] : !values_[At(made)].by_step) return false;
    }
    return true;
  }

  ValueId SourceOf(ValueId id) const {
    for (auto node = body_.nodes.rbegin(); node != body_.nodes.rend(); ++node) {
      if (node->type == "Identity" && node->outputs[0] == id) id = node->inputs[0];
    }
    return id;
  }

  ValueId Here(ValueId id) {
    if (id == kNoValue) return kNoValue;
    Spread& value = Of(id);
    const GraphValue& source = body_.values[At(id)];
    if (value.id != kNoValue) return value.id;
    value.id = source.is_constant() ? graph_.AddConstant(source.name, source.constant)
                                    : graph_.AddResult(source.name);
    return value.id;
  }

  Result<void> Insert(NodeData node) {
    const Spread made = Of(node.outputs[0]);
    const bool reduces = made.by_step && !std::ranges::binary_search(kByElement, node.type);
    const std::size_t rank = made.facts.shape->size();
    if (reduces) TRY(MoveAxes(node));
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (reduces && i > 0) continue;
      const ValueId id = node.inputs[i];
      node.inputs[i] = Here(id);
      if (id != kNoValue && made.by_step && !reduces) {
        node.inputs[i] = TRY(WithRank(id, rank));
      }
    }
    node.outputs[0] = Here(node.outputs[0]);
    node.name = graph_.node(index_).name + "/" + node.name;
    return graph_.Insert(index_, std::move(node));
  }

  /// The axes are those of one step; the steps come before.
  Result<void> MoveAxes(NodeData& node) {
    const auto rank = static_cast<std::int64_t>(Of(node.inputs[0]).facts.shape->size());
    Ints axes = node.attributes.Ints("axes", {});
    const bool given = node.inputs.size() > 1 && node.inputs[1] != kNoValue;
    if (given) axes = IntsOf(Of(node.inputs[1]).facts.constant);
    for (std::int64_t& axis : axes) axis = (axis < 0 ? axis + rank : axis) + 1;
    if (axes.empty()) {
      axes.resize(At(rank));
      std::iota(axes.begin(), axes.end(), 1);
    }
    const bool as_input = node.type == "ReduceSum" ? node.opset >= 13 : node.opset >= 18;
    if (!as_input) {
      node.attributes.Set("axes", axes);
      return {};
    }
    const auto count = static_cast<std::int64_t>(axes.size());
    node.inputs.resize(2);
    node.inputs[1] = graph_.AddConstant(
        node.name + "/axes", Tensor::FromVector(DType::kInt64, {count}, std::move(axes)));
    return {};
  }

  /// The value with as many axes in each step as `rank`, so that they line up.
  Result<ValueId> WithRank(ValueId id, std::size_t rank) {
    const Spread& value = Of(id);
    Shape shape = *value.facts.shape;
    if (!value.by_step || shape.size() == rank) return value.id;
    shape.insert(shape.begin(), rank - shape.size(), 1);
    shape.insert(shape.begin(), steps_);
    const std::string name = body_.values[At(id)].name + "/spread";
    const ValueId made = graph_.AddResult(name);
    const auto count = static_cast<std::int64_t>(shape.size());
    const ValueId to = graph_.AddConstant(
        name + "/shape", Tensor::FromVector(DType::kInt64, {count}, std::move(shape)));
    TRY(graph_.Insert(index_, {.name = graph_.node(index_).name + "/" + name,
                               .type = "Reshape",
                               .opset = kReshapeOpset,
                               .inputs = {value.id, to},
                               .outputs = {made}}));
    return made;
  }

  Rewriter& graph_;
  std::size_t index_;
  const GraphData& body_;
  std::vector<Spread> values_;  // of the body
  std::size_t states_ = 0;
  std::int64_t steps_ = 0;
};

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    const NodeData& node = graph.node(i);
    if (!node.domain.empty() || node.type != "Scan" || node.opset < 9 || !IsPlain(node)) {
      return false;
    }
    const GraphData* body = node.attributes.GraphOrNull("body");
    return body != nullptr && TRY(Scan(graph, i, *body).Take());
  });
}

}  // namespace

Pass passes_spread_scans() {
  return {.stage = 101,
          .summary = "runs the nodes of a Scan once for all steps",
          .per_plan = true,
          .renews_facts = true,
          .run = Run};
}

}  // namespace slipway::runtime
