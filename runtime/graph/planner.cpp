// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/graph/kernel_tuner.h"
#include "runtime/graph/overwritten_sums.h"
#include "runtime/graph/part_places.h"
#include "runtime/graph/plan.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/stored_bytes.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kMostFoldedElements = std::int64_t{1} << 20;
/// Times that facts are worked out anew for passes that changed what is known: as deep as branches
/// lie inside one another where anyone writes them.
constexpr int kMostRenewals = 16;

/// Builds one plan: facts forward through the nodes, then kernels, places and offsets.
class Planner {
 public:
  /// `own`: the plan's graph. `source`: of which other plans may be made; else null.
  Planner(Plan& plan, const KernelChoice& choice, DeviceContext& device, GraphData& own,
          GraphData* source)
      : plan_(plan), graph_(own), own_(own), source_(source), choice_(choice), device_(device) {}

  /// Facts of all values; nodes that follow from constants are evaluated.
  Result<void> Infer();
  /// Kernels, and where values are.
  Result<void> Settle();

 private:
  PlannedValue& At(ValueId id) { return plan_.values[static_cast<std::size_t>(id)]; }
  void StartValues();
  std::vector<bool> NeededNodes() const;
  Result<void> AddNode(std::size_t index);
  Result<bool> Fold(const NodeData& node, const NodeFacts& facts);
  Result<bool> FoldShape(const NodeData& node, const NodeFacts& facts);
  bool MayFold(const NodeData& node, const NodeFacts& facts) const;
  Result<void> SetConstant(ValueId id, Tensor tensor, bool from_weights);
  Result<void> AddLate(std::size_t index, const std::vector<ValueFacts>& outputs);
  Result<void> AddKernel(std::size_t index, NodeFacts facts);
  void SetOutputs(const NodeData& node, const std::vector<ValueFacts>& outputs, bool late);
  bool MayShare(const Step& step) const;
  void Pin(ValueId id);
  Result<void> Keep(ValueId id);
  void CountReaders();
  Result<void> PrepareStep(Step& step);
  void LetGoOfWeights(const Step& step);
  void ChoosePlaces();
  Result<void> ChooseOffsets();
  void ChooseReleases();

  Plan& plan_;
  const GraphData& graph_;
  GraphData& own_;
  GraphData* source_;
  KernelChoice choice_;
  DeviceContext& device_;
  std::vector<bool> from_weights_;     ///< values that follow from initialisers alone
  std::vector<std::int64_t> readers_;  ///< of this plan, steps that read a value and do not hold it
  std::vector<std::int64_t> source_readers_;  ///< of the source, nodes beyond those that hold it
};

Result<void> Planner::Infer() {
  StartValues();
  const std::vector<bool> needed = NeededNodes();
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (needed[i]) TRY(AddNode(i));
  }
  return {};
}

Result<void> Planner::Settle() {
  ChoosePlaces();
  PlaceParts(plan_);
  OverwriteSums(plan_);
  CountReaders();
  // From here on no step moves: kernels keep references to their node's facts.
  if (choice_.tuner != nullptr && choice_.tuner->left() > KernelTuner::Duration::zero()) {
    for (std::size_t i = 0; i < plan_.values.size(); ++i) TRY(Keep(static_cast<ValueId>(i)));
    MeasureKernels(plan_, choice_, device_);
  }
  for (Step& step : plan_.steps) {
    if (step.kind == Step::Kind::kKernel) TRY(PrepareStep(step));
  }
  TRY(ChooseOffsets());
  ChooseReleases();
  return {};
}

/// Has a constant of the graph there, for this plan.
Result<void> Planner::Keep(ValueId id) {
  if (id == kNoValue) return {};
  Tensor& constant = own_.values[static_cast<std::size_t>(id)].constant;
  if (At(id).facts.constant == &constant) constant = TRY(StoredWeights::Keep(constant));
  return {};
}

void Planner::CountReaders() {
  const auto count = [](const std::vector<ValueId>& ids, std::vector<std::int64_t>& readers) {
    for (ValueId id : ids) {
      if (id != kNoValue) ++readers[static_cast<std::size_t>(id)];
    }
  };
  readers_.assign(plan_.values.size(), 0);
  count(graph_.outputs, readers_);
  for (const Step& step : plan_.steps) {
    count(step.node->inputs, readers_);
    count(step.node->captures, readers_);
  }
  if (source_ == nullptr) return;
  source_readers_.assign(source_->values.size(), 0);
  count(source_->outputs, source_readers_);
  for (const NodeData& node : source_->nodes) {
    count(node.inputs, source_readers_);
    count(node.captures, source_readers_);
  }
}

/// What kernels hold in forms of their own they look up, or make, without a plan's help; all else
/// that they are given has to be there.
Result<void> Planner::PrepareStep(Step& step) {
  const std::vector<ValueId>& inputs = step.node->inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i != 1) TRY(Keep(inputs[i]));
  }
  TRY(ChooseKernel(*step.node, choice_, device_, step.prepared));
  const auto* holder = dynamic_cast<const HoldsWeights*>(step.prepared.executable.get());
  if (holder != nullptr && holder->holds_weights()) {
    LetGoOfWeights(step);
  } else if (inputs.size() > 1) {
    TRY(Keep(inputs[1]));
  }
  return {};
}

void Planner::LetGoOfWeights(const Step& step) {
  const ValueId id = step.node->inputs[1];
  const auto at = static_cast<std::size_t>(id);
  Tensor& weights = own_.values[at].constant;
  if (At(id).facts.constant != &weights) return;
  if (at < source_readers_.size() && --source_readers_[at] == 0) {
    Tensor& named = source_->values[at].constant;
    named = StoredWeights::Name(named);
  }
  if (--readers_[at] > 0) return;
  weights = {};
  At(id).facts.constant = nullptr;
  At(id).place = Place::kNone;
}

void Planner::StartValues() {
  plan_.values.resize(graph_.values.size());
  from_weights_.assign(graph_.values.size(), false);
  for (std::size_t i = 0; i < graph_.values.size(); ++i) {
    PlannedValue& value = plan_.values[i];
    value.root = static_cast<ValueId>(i);
    const GraphValue& source = graph_.values[i];
    if (!source.is_constant()) continue;
    value.facts = TensorFacts(source.constant.dtype(), source.constant.shape());
    value.facts.constant = &source.constant;
    value.place = Place::kConstant;
    from_weights_[i] = true;
  }
  std::size_t index = 0;
  for (const auto* ids : {&graph_.inputs, &graph_.captures}) {
    for (ValueId id : *ids) {
      At(id).facts = plan_.key.inputs[index++];
      At(id).place = Place::kInput;
    }
  }
}

std::vector<bool> Planner::NeededNodes() const {
  std::vector<bool> values(graph_.values.size()), nodes(graph_.nodes.size());
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (plan_.key.wanted[i]) values[static_cast<std::size_t>(graph_.outputs[i])] = true;
  }
  const auto want = [&](const std::vector<ValueId>& ids) {
    for (ValueId id : ids) {
      if (id != kNoValue) values[static_cast<std::size_t>(id)] = true;
    }
  };
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    const NodeData& node = graph_.nodes[i];
    nodes[i] = std::ranges::any_of(node.outputs, [&](ValueId id) {
      return id != kNoValue && values[static_cast<std::size_t>(id)];
    });
    if (!nodes[i]) continue;
    want(node.inputs);
    want(node.captures);
  }
  return nodes;
}

Result<void> Planner::AddNode(std::size_t index) {
  const NodeData& node = graph_.nodes[index];
  std::vector<ValueFacts> inputs;
  bool late = false;
  for (ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? ValueFacts{} : At(id).facts);
    const ValueFacts& facts = inputs.back();
    late = late || (id != kNoValue && facts.kind == TypeInfo::Kind::kTensor &&
                    (!facts.shape || facts.dtype == DType::kUndefined));
  }
  NodeFacts facts = MakeFacts(node, std::move(inputs));
  if (late) {
    return AddLate(index, TRY(OutputsFromSignature(node, facts)));
  }
  facts.outputs = TRY(InferOutputs(node, facts));
  if (TRY(FoldShape(node, facts))) return {};
  if (TRY(Fold(node, facts))) return {};
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueFacts& output = facts.outputs[i];
    if (node.outputs[i] == kNoValue || output.kind != TypeInfo::Kind::kTensor) continue;
    late = late || !output.shape || output.dtype == DType::kUndefined;
  }
  if (late) return AddLate(index, facts.outputs);
  return AddKernel(index, std::move(facts));
}

Result<void> Planner::SetConstant(ValueId id, Tensor tensor, bool from_weights) {
  plan_.constants.push_back(std::move(tensor));
  const Tensor& constant = plan_.constants.back();
  PlannedValue& value = At(id);
  value.facts = TensorFacts(constant.dtype(), constant.shape());
  value.facts.constant = &constant;
  value.place = Place::kConstant;
  from_weights_[static_cast<std::size_t>(id)] = from_weights;
  return {};
}

Result<bool> Planner::FoldShape(const NodeData& node, const NodeFacts& facts) {
  auto known = TRY(EvaluateShapeNode(node, facts));
  if (!known) return false;
  ++plan_.folded;
  if (node.outputs[0] != kNoValue) TRY(SetConstant(node.outputs[0], *std::move(known), false));
  return true;
}

bool Planner::MayFold(const NodeData& node, const NodeFacts& facts) const {
  if (!node.op->deterministic || !SubgraphsOf(node).empty()) return false;
  bool from_weights = true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    if (facts.inputs[i].constant == nullptr) return false;
    from_weights = from_weights && from_weights_[static_cast<std::size_t>(node.inputs[i])];
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (facts.outputs[i].kind != TypeInfo::Kind::kTensor) return false;
    if (from_weights || !facts.outputs[i].shape) continue;
    auto size = ElementCount(*facts.outputs[i].shape);
    if (!size || *size > kMostFoldedElements) return false;
  }
  return true;
}

Result<bool> Planner::Fold(const NodeData& node, const NodeFacts& facts) {
  if (!MayFold(node, facts)) return false;
  std::vector<const Tensor*> inputs;
  bool from_weights = true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const bool absent = node.inputs[i] == kNoValue;
    inputs.push_back(absent ? nullptr : facts.inputs[i].constant);
    from_weights =
        from_weights && (absent || from_weights_[static_cast<std::size_t>(node.inputs[i])]);
  }
  for (ValueId id : node.inputs) TRY(Keep(id));
  auto outputs = TRY(EvaluateNode(node, inputs, choice_, device_));
  const bool all_tensors = std::ranges::all_of(
      outputs, [](const Value& value) { return value.is_none() || value.tensor() != nullptr; });
  if (!all_tensors) return false;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    if (outputs[i].is_none()) return false;
    TRY(SetConstant(node.outputs[i], std::move(*outputs[i].tensor()), from_weights));
  }
  ++plan_.folded;
  return true;
}

void Planner::SetOutputs(const NodeData& node, const std::vector<ValueFacts>& outputs, bool late) {
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    PlannedValue& value = At(node.outputs[i]);
    value.facts = outputs[i];
    value.facts.constant = nullptr;
    const bool known = value.facts.kind == TypeInfo::Kind::kTensor && value.facts.shape;
    if (late) value.facts.shape.reset();
    value.place = late || !known ? Place::kLate : Place::kArena;
  }
}

Result<void> Planner::AddLate(std::size_t index, const std::vector<ValueFacts>& outputs) {
  const NodeData& node = graph_.nodes[index];
  std::vector<const Tensor*> known;
  for (ValueId id : node.inputs) {
    TRY(Keep(id));
    known.push_back(id == kNoValue ? nullptr : At(id).facts.constant);
  }
  SetOutputs(node, outputs, true);
  plan_.steps.push_back(
      {.node = &node,
       .index = index,
       .kind = Step::Kind::kLate,
       .late = std::make_unique<LateNode>(node, choice_, device_, std::move(known))});
  return {};
}

Result<void> Planner::AddKernel(std::size_t index, NodeFacts facts) {
  const NodeData& node = graph_.nodes[index];
  SetOutputs(node, facts.outputs, false);
  Step step{.node = &node, .index = index, .prepared = {.facts = std::move(facts)}};
  const NodeFacts& settled = step.prepared.facts;
  if (TRY(IsViewOf(node, settled))) {
    step.kind = Step::Kind::kView;
    At(node.outputs[0]).root = At(node.inputs[0]).root;
  }
  plan_.steps.push_back(std::move(step));
  return {};
}

/// Whether a node may keep or hand on its inputs themselves rather than read them.
bool Planner::MayShare(const Step& step) const {
  if (step.kind == Step::Kind::kView) return false;
  if (step.kind == Step::Kind::kLate || !step.node->captures.empty()) return true;
  return std::ranges::any_of(step.prepared.facts.outputs, [](const ValueFacts& output) {
    return output.kind != TypeInfo::Kind::kTensor;
  });
}

void Planner::Pin(ValueId id) {
  if (id == kNoValue) return;
  PlannedValue& root = At(At(id).root);
  if (root.place == Place::kArena) root.place = Place::kOwn;
}

void Planner::ChoosePlaces() {
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (plan_.key.wanted[i]) Pin(graph_.outputs[i]);
  }
  for (const Step& step : plan_.steps) {
    for (ValueId id : step.node->outputs) {
      if (id != kNoValue && At(id).facts.dtype == DType::kString) Pin(id);
    }
    if (!MayShare(step)) continue;
    for (ValueId id : step.node->inputs) Pin(id);
    for (ValueId id : step.node->captures) Pin(id);
  }
  for (PlannedValue& value : plan_.values) {
    const PlannedValue& root = At(value.root);
    if (&root == &value) continue;
    value.place = root.place == Place::kConstant ? Place::kLate : root.place;
  }
  std::erase_if(plan_.steps, [&](const Step& step) {
    return step.kind == Step::Kind::kView && At(step.node->outputs[0]).place == Place::kArena;
  });
  for (Step& step : plan_.steps) {
    if (step.kind != Step::Kind::kKernel) continue;
    for (ValueId id : step.node->outputs) {
      if (id != kNoValue && At(id).place == Place::kOwn) step.allocate.push_back(id);
    }
  }
}

Result<void> Planner::ChooseOffsets() {
  std::vector<Interval> intervals;
  std::vector<ValueId> owners;
  std::vector<std::int64_t> which(plan_.values.size(), -1);
  for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    const auto touch = [&](ValueId id) {
      if (id == kNoValue || At(id).place != Place::kArena) return;
      std::int64_t& interval = which[static_cast<std::size_t>(At(id).root)];
      if (interval < 0) {
        interval = static_cast<std::int64_t>(intervals.size());
        const ValueFacts& facts = At(At(id).root).facts;
        const std::int64_t count = *ElementCount(*facts.shape);
        const std::int64_t bits = DTypeBits(facts.dtype);
        std::int64_t bytes = 0;
        if (__builtin_mul_overflow(count, bits, &bytes)) bytes = INT64_MAX - 7;
        intervals.push_back({.first = at, .last = at, .bytes = (bytes + 7) / 8});
        owners.push_back(At(id).root);
      }
      intervals[static_cast<std::size_t>(interval)].last = at;
    };
    for (ValueId id : plan_.steps[s].node->outputs) touch(id);
    for (ValueId id : plan_.steps[s].node->inputs) touch(id);
    for (ValueId id : plan_.steps[s].node->captures) touch(id);
  }
  for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s);
    const std::int64_t bytes = plan_.steps[s].prepared.scratch_bytes();
    intervals.push_back({.first = at, .last = at, .bytes = bytes});
  }
  plan_.memory = TRY(PlanMemory(intervals));
  for (std::size_t i = 0; i < owners.size(); ++i) At(owners[i]).offset = plan_.memory.offsets[i];
  for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
    plan_.steps[s].scratch_offset = plan_.memory.offsets[owners.size() + s];
  }
  return {};
}

void Planner::ChooseReleases() {
  std::vector<std::size_t> last(plan_.values.size(), 0);
  std::vector<bool> seen(plan_.values.size(), false), kept(plan_.values.size(), false);
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    if (plan_.key.wanted[i]) kept[static_cast<std::size_t>(graph_.outputs[i])] = true;
  }
  for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
    const NodeData& node = *plan_.steps[s].node;
    for (const auto* ids : {&node.outputs, &node.inputs, &node.captures}) {
      for (ValueId id : *ids) {
        if (id == kNoValue) continue;
        last[static_cast<std::size_t>(id)] = s;
        seen[static_cast<std::size_t>(id)] = true;
      }
    }
  }
  for (std::size_t i = 0; i < plan_.values.size(); ++i) {
    const Place place = plan_.values[i].place;
    if (!seen[i] || kept[i] || (place != Place::kOwn && place != Place::kLate)) continue;
    plan_.steps[last[i]].release.push_back(static_cast<ValueId>(i));
  }
}

}  // namespace

Result<std::shared_ptr<const Plan>> MakePlan(std::shared_ptr<GraphData> graph, PlanKey key,
                                             const PassOptions& options, DeviceContext& device,
                                             bool only) {
  GraphData* const source = only ? nullptr : graph.get();
  auto own = only ? std::move(graph) : std::make_shared<GraphData>(*graph);
  auto plan = std::make_shared<Plan>();
  plan->key = std::move(key);
  bool unfinished = true;
  for (int renewals = 0;; ++renewals) {
    plan->graph = own;
    Planner planner(*plan, options.choice, device, *own, source);
    TRY(planner.Infer());
    std::vector<ValueFacts> facts;
    for (const PlannedValue& value : plan->values) facts.push_back(value.facts);
    Optimized special{.graph = own, .changes = {}};
    if (unfinished) {
      special = TRY(Specialise(own, facts, options, device, renewals < kMostRenewals));
    }
    for (const auto& [pass, count] : special.changes) plan->changes[pass] += count;
    if (special.graph == own) {
      TRY(planner.Settle());
      return std::shared_ptr<const Plan>(std::move(plan));
    }
    unfinished = special.unfinished;
    auto better = std::make_shared<Plan>();
    better->changes = std::move(plan->changes);
    better->key = std::move(plan->key);
    better->folded = plan->folded;
    own = std::make_shared<GraphData>(*special.graph);
    plan = std::move(better);
  }
}

}  // namespace slipway::runtime
