// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/bounds.h"
#include "runtime/graph/explain.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kPlansKept = 32;
constexpr auto kWaitOnce = std::chrono::milliseconds(10);

bool Matches(const ValueFacts& planned, const Value& value) {
  if (const Tensor* tensor = value.tensor()) {
    return planned.kind == TypeInfo::Kind::kTensor && planned.dtype == tensor->dtype() &&
           planned.shape == tensor->shape();
  }
  const ValueFacts facts = FactsOf(value, false);
  return planned.kind == facts.kind && planned.dtype == facts.dtype;
}

bool Matches(const PlanKey& key, std::span<const Value> inputs, const std::vector<bool>& wanted) {
  return key.wanted == wanted &&
         std::ranges::equal(key.inputs, inputs,
                            [](const ValueFacts& f, const Value& v) { return Matches(f, v); });
}

/// Counts the text that a step made as the session's.
Result<void> CountText(std::span<Value* const> outputs) {
  for (Value* output : outputs) {
    Tensor* tensor = output == nullptr ? nullptr : output->tensor();
    if (tensor != nullptr && tensor->dtype() == DType::kString) TRY(tensor->CountText());
  }
  return {};
}

std::shared_ptr<const GraphData> WithoutConstants(const GraphData& graph) {
  auto copy = std::make_shared<GraphData>(graph);
  for (GraphValue& value : copy->values) value.constant = {};
  return copy;
}

}  // namespace

/// Gives a step's kernel the graphs of its node, with what they capture from this frame.
class GraphRunner::Links final : public SubgraphRunner {
 public:
  Links(const std::vector<Subgraph>& subgraphs, const std::vector<Subgraph>& more,
        const Frame& frame)
      : subgraphs_(subgraphs), more_(more), frame_(frame) {}

  Result<std::vector<Value>> RunSubgraph(const GraphData& graph,
                                         std::vector<Value> inputs) override {
    const Subgraph* found = Find(graph, subgraphs_);
    if (found == nullptr) found = Find(graph, more_);
    if (found == nullptr) {
      return Error{.code = Code::kInternal, .message = "a graph that is no node's"};
    }
    if (inputs.size() != graph.inputs.size()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("graph '{}' takes {} inputs and got {}", graph.name,
                                          graph.inputs.size(), inputs.size())};
    }
    if (Bounds* bounds = CurrentBounds()) TRY(bounds->CountTrip());
    for (ValueId id : found->captured) {
      inputs.push_back(frame_.values[static_cast<std::size_t>(id)]);
    }
    return found->runner->Run(inputs, std::vector<bool>(graph.outputs.size(), true));
  }

 private:
  static const Subgraph* Find(const GraphData& graph, const std::vector<Subgraph>& subgraphs) {
    const auto found = std::ranges::find(subgraphs, &graph, &Subgraph::graph);
    return found == subgraphs.end() ? nullptr : &*found;
  }

  const std::vector<Subgraph>& subgraphs_;
  const std::vector<Subgraph>& more_;
  const Frame& frame_;
};

GraphRunner::GraphRunner(const std::shared_ptr<const GraphData>& graph,
                         std::shared_ptr<DeviceContext> device, const Options& options)
    : graph_(WithoutConstants(*graph)),
      whole_(std::make_shared<GraphData>(*graph)),
      device_(std::move(device)),
      options_(options) {
  AddSubgraphs(*graph_, subgraphs_);
}

void GraphRunner::AddSubgraphs(const GraphData& graph, std::vector<Subgraph>& subgraphs) const {
  Options inside = options_;
  inside.fixed = false;
  for (const NodeData& node : graph.nodes) {
    std::map<std::string_view, ValueId> by_name;
    for (ValueId id : node.captures) {
      by_name.emplace(graph.values[static_cast<std::size_t>(id)].name, id);
    }
    for (const auto& inner : SubgraphsOf(node)) {
      if (std::ranges::find(subgraphs_, inner.get(), &Subgraph::graph) != subgraphs_.end()) {
        continue;
      }
      Subgraph link{.graph = inner.get(),
                    .runner = std::make_unique<GraphRunner>(inner, device_, inside),
                    .captured = {}};
      for (ValueId capture : inner->captures) {
        const auto outer = by_name.find(inner->values[static_cast<std::size_t>(capture)].name);
        SLIPWAY_CHECK(outer != by_name.end());
        link.captured.push_back(outer->second);
      }
      subgraphs.push_back(std::move(link));
    }
  }
}

std::shared_ptr<const GraphRunner::Planned> GraphRunner::Find(std::span<const Value> inputs,
                                                              const std::vector<bool>& wanted) {
  const std::lock_guard lock(mutex_);
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (!Matches((*it)->plan->key, inputs, wanted)) continue;
    if (it != plans_.begin()) {
      plans_.front()->plan->DropLargeFrames();
      plans_.splice(plans_.begin(), plans_, it);
    }
    return plans_.front();
  }
  return nullptr;
}

Result<std::shared_ptr<const Plan>> GraphRunner::PlanFor(std::span<const Value> inputs,
                                                         const std::vector<bool>& wanted) {
  return TRY(FindOrPlan(inputs, wanted))->plan;
}

Result<std::shared_ptr<const GraphRunner::Planned>> GraphRunner::FindOrPlan(
    std::span<const Value> inputs, const std::vector<bool>& wanted) {
  if (auto planned = Find(inputs, wanted)) return planned;
  std::unique_lock planning(planning_, std::defer_lock);
  while (!planning.try_lock_for(kWaitOnce)) TRY(MayGoOn());
  if (auto planned = Find(inputs, wanted)) return planned;
  if (whole_ == nullptr) {
    return Error{.code = Code::kInternal,
                 .message = "the graph is gone of which a plan is wanted",
                 .id = std::string(kPlanGone)};
  }
  auto graph = options_.fixed ? std::move(whole_) : whole_;
  PlanKey key{.inputs = {}, .wanted = wanted};
  for (const Value& value : inputs) key.inputs.push_back(FactsOf(value, false));
  auto made = std::make_shared<Planned>();
  made->plan =
      TRY(MakePlan(std::move(graph), std::move(key), options_.passes, *device_, options_.fixed));
  AddSubgraphs(*made->plan->graph, made->subgraphs);
  TRY(MayGoOn());
  std::shared_ptr<const Planned> planned = std::move(made);
  const std::lock_guard lock(mutex_);
  if (!plans_.empty()) plans_.front()->plan->DropLargeFrames();
  plans_.push_front(planned);
  if (plans_.size() > kPlansKept) plans_.pop_back();
  return planned;
}

void GraphRunner::DropIdle() {
  {
    const std::lock_guard lock(mutex_);
    plans_.clear();
  }
  for (const Subgraph& link : subgraphs_) link.runner->DropIdle();
}

Result<std::vector<Value>> GraphRunner::Run(std::span<const Value> inputs,
                                            const std::vector<bool>& wanted) {
  std::vector<Value> outputs(wanted.size());
  TRY(RunInto(inputs, wanted, {}, outputs));
  std::size_t count = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i]) std::swap(outputs[count++], outputs[i]);
  }
  outputs.resize(count);
  return outputs;
}

Result<void> GraphRunner::RunInto(std::span<const Value> inputs, const std::vector<bool>& wanted,
                                  std::span<const Value> memory, std::span<Value> outputs) {
  TRY(MayGoOn());
  const auto planned = TRY(FindOrPlan(inputs, wanted));
  const Plan& plan = *planned->plan;
  auto frame = TRY(plan.TakeFrame());
  frame->places.Choose(plan, inputs, memory);
  std::size_t index = 0;
  for (const auto* ids : {&graph_->inputs, &graph_->captures}) {
    for (ValueId id : *ids) frame->values[static_cast<std::size_t>(id)] = inputs[index++];
  }
  auto done = RunFrame(*planned, *frame);
  if (done) TakeOutputs(plan, *frame, memory, outputs);
  plan.GiveBack(std::move(frame));
  return done;
}

Result<void> GraphRunner::RunFrame(const Planned& planned, Frame& frame) {
  for (std::size_t i = 0; i < planned.plan->steps.size(); ++i) TRY(RunStep(planned, i, frame));
  return {};
}

void GraphRunner::TakeOutputs(const Plan& plan, Frame& frame, std::span<const Value> memory,
                              std::span<Value> outputs) const {
  const auto& ids = graph_->outputs;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!plan.key.wanted[i]) continue;
    Value& value = frame.values[static_cast<std::size_t>(ids[i])];
    const Place place = plan.values[static_cast<std::size_t>(ids[i])].place;
    const bool made = place == Place::kOwn || place == Place::kLate;
    const bool has_memory = !memory.empty() && !memory[i].is_none();
    // What the run made is given away, the last time that it is an output.
    const auto after = ids.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    const bool last = std::find(after, ids.end(), ids[i]) == ids.end();
    if (made && last && !has_memory) {
      outputs[i] = std::move(value);
    } else {
      outputs[i] = value;
    }
  }
}

Result<void> GraphRunner::RunStep(const Planned& planned, std::size_t index, Frame& frame) {
  const Plan& plan = *planned.plan;
  const Step& step = plan.steps[index];
  const auto start =
      options_.profile ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point{};
  for (ValueId id : step.allocate) {
    Value& made = frame.values[static_cast<std::size_t>(id)];
    TRY(frame.places.Make(step, step.prepared, id, made));
  }
  Links links(subgraphs_, planned.subgraphs, frame);
  NodeContext::Setup setup{
      .inputs = frame.inputs[index],
      .outputs = frame.outputs[index],
      .scratch = {static_cast<std::byte*>(frame.arena.raw()) + step.scratch_offset,
                  static_cast<std::size_t>(step.prepared.scratch_bytes())},
      .threads = device_->threads(),
      .subgraphs = &links,
      .arena = frame.arena.raw(),
      .arena_bytes = static_cast<std::size_t>(frame.arena.bytes())};
  Result<void> done;
  const Kernel* kernel = step.prepared.kernel;
  switch (step.kind) {
    case Step::Kind::kView:
      *frame.outputs[index][0] = Value(frame.inputs[index][0]->tensor()->Reshaped(
          *plan.values[static_cast<std::size_t>(step.node->outputs[0])].facts.shape));
      break;
    case Step::Kind::kKernel: {
      NodeContext context(setup);
      done = step.prepared.Run(context);
      if (done) done = context.TakeError();
      break;
    }
    case Step::Kind::kLate:
      done = RunLate(step, frame.places, setup);
      break;
  }
  if (done) done = CountText(setup.outputs);
  if (!done) {
    if (auto goes_on = MayGoOn(); !goes_on) done = std::move(goes_on);
    return Within(WhereText(*step.node), std::move(done).error());
  }
  for (ValueId id : step.release) frame.values[static_cast<std::size_t>(id)] = {};
  if (options_.profile) {
    Record(step, kernel, start);
  }
  return {};
}

Result<void> GraphRunner::RunLate(const Step& step, const OutputPlaces& places,
                                  NodeContext::Setup setup) {
  const auto prepared = TRY(step.late->For(setup.inputs));
  const PreparedNode& node = prepared->node;
  for (std::size_t i = 0; i < setup.outputs.size(); ++i) {
    const ValueFacts& facts = node.facts.outputs[i];
    if (setup.outputs[i] == nullptr || facts.kind != TypeInfo::Kind::kTensor || !facts.shape ||
        facts.dtype == DType::kUndefined || node.kernel == nullptr) {
      continue;
    }
    TRY(places.Make(step, node, step.node->outputs[i], *setup.outputs[i]));
  }
  if (node.kernel == nullptr) {
    const Tensor& from = *setup.inputs[0]->tensor();
    *setup.outputs[0] = Value(from.Reshaped(*node.facts.outputs[0].shape));
    return {};
  }
  Tensor scratch;
  if (const std::int64_t bytes = node.scratch_bytes(); bytes > 0) {
    scratch = TRY(Tensor::Make(DType::kUint8, {bytes}));
    setup.scratch = {static_cast<std::byte*>(scratch.raw()), static_cast<std::size_t>(bytes)};
  }
  NodeContext context(setup);
  TRY(node.Run(context));
  return context.TakeError();
}

void GraphRunner::Record(const Step& step, const Kernel* kernel,
                         std::chrono::steady_clock::time_point start) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const double milliseconds = Milliseconds(std::chrono::steady_clock::now() - start).count();
  const std::lock_guard lock(profile_mutex_);
  NodeProfile& row = profile_[step.node->name];
  if (row.runs == 0) {
    row.node = step.node->name;
    row.op_type = step.node->type;
    if (step.kind == Step::Kind::kKernel) row.flops = FlopsOf(step);
  }
  if (kernel != nullptr) row.kernel = kernel->name;
  if (kernel == nullptr && row.kernel.empty()) {
    row.kernel = step.kind == Step::Kind::kView ? "view" : "late";
  }
  row.best_ms = row.runs == 0 ? milliseconds : std::min(row.best_ms, milliseconds);
  ++row.runs;
  row.total_ms += milliseconds;
  row.last_start_ms = Milliseconds(start.time_since_epoch()).count();
  row.last_ms = milliseconds;
}

void GraphRunner::AddProfile(std::vector<NodeProfile>& profile) const {
  {
    const std::lock_guard lock(profile_mutex_);
    for (const auto& [node, row] : profile_) profile.push_back(row);
  }
  for (const Subgraph& link : subgraphs_) link.runner->AddProfile(profile);
  const std::lock_guard lock(mutex_);
  for (const auto& planned : plans_) {
    for (const Subgraph& link : planned->subgraphs) link.runner->AddProfile(profile);
  }
}

}  // namespace slipway::runtime
