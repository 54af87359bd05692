// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>

#include "runtime/bounds.h"
#include "runtime/device/device.h"
#include "runtime/graph/emptied.h"
#include "runtime/graph/error_text.h"
#include "runtime/graph/explain.h"
#include "runtime/graph/feeds.h"
#include "runtime/graph/kernel_tuner.h"
#include "runtime/graph/optimize.h"
#include "runtime/graph/output_places.h"
#include "runtime/graph/runner.h"
#include "runtime/run_into.h"
#include "runtime/runtime.h"
#include "runtime/stored_bytes.h"
#include "runtime/tuning.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kVariantsKept = 8;
constexpr std::size_t kCallsKept = 16;

/// The model optimised for one set of initialisers that are fed instead.
struct Variant {
  std::map<std::string, std::int64_t> changes;  ///< per pass
  std::unique_ptr<GraphRunner> runner;
};

/// Whether inputs are tensors whose dimensions, but for the first `open`, are all known.
bool AreFixed(const Model& model, std::size_t open = 0) {
  return std::ranges::all_of(model.inputs(), [open](const ValueInfo& input) {
    const auto& shape = input.type.shape;
    if (input.type.kind != TypeInfo::Kind::kTensor || !shape) return false;
    const auto known = std::span(*shape).subspan(std::min(open, shape->size()));
    return std::ranges::all_of(known, [](std::int64_t dim) { return dim >= 0; });
  });
}

/// The options with what 0 stands for.
SessionOptions Settled(SessionOptions options, const Model& model) {
  SessionLimits& limits = options.limits;
  if (limits.memory_bytes == 0) {
    limits.memory_bytes = UsableMemoryBytes() + model.info().parameter_bytes;
  }
  return options;
}

Result<void> CheckPrecision(const SessionOptions& options) {
  if (options.accuracy != Accuracy::kStrict || options.precision == Precision::kFloat32) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("precision {} rounds more than strict accuracy lets it",
                                      PrecisionName(options.precision)),
               .id = "Usage",
               .fix = "leave one of them out"};
}

/// What Explain says of a precision other than that of the model.
std::string PrecisionText(Precision precision) {
  if (precision == Precision::kFloat32) return "";
  const std::string warning = PrecisionWarning(precision);
  if (!warning.empty()) return warning + '\n';
  return fmt::format("precision {}: of nodes whose kernels are named so\n",
                     PrecisionName(precision));
}

Result<void> CheckLimits(const SessionLimits& limits) {
  const std::pair<std::string_view, std::int64_t> all[] = {{"memory_bytes", limits.memory_bytes},
                                                           {"tensor_bytes", limits.tensor_bytes},
                                                           {"string_bytes", limits.string_bytes},
                                                           {"loop_trips", limits.loop_trips}};
  for (const auto& [name, limit] : all) {
    if (limit >= 0) continue;
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("limit {} is {}: it must not be negative", name, limit)};
  }
  return {};
}

/// What `work` gives, or the error of the memory that it could not have. Nothing gets past it.
template <class Work>
auto Held(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return NoMemory();
  } catch (const std::length_error&) {
    return NoMemory();
  }
}

/// A value that the caller keeps counts no longer as the session's.
void HandOver(const Value& value) {
  if (const Tensor* tensor = value.tensor()) return tensor->LeaveBudget();
  if (const Sequence* sequence = value.sequence()) {
    for (const Value& item : sequence->items) HandOver(item);
  }
  if (const Map* map = value.map()) {
    map->keys.LeaveBudget();
    for (const Value& item : map->items) HandOver(item);
  }
}

/// An output that shares no memory with anything the session or the caller still holds.
Result<Value> Owned(Value value) {
  if (Tensor* tensor = value.tensor()) {
    if (tensor->owner().use_count() == 1) return value;
    return Value(TRY(tensor->Clone()));
  }
  if (const Sequence* sequence = value.sequence()) {
    auto copy = std::make_shared<Sequence>();
    copy->items.reserve(sequence->items.size());
    for (const Value& item : sequence->items) copy->items.push_back(TRY(Owned(item)));
    return Value(std::shared_ptr<const Sequence>(std::move(copy)));
  }
  return value;
}

/// What a run works with; kept between runs, used by one at a time. Per output of the model:
/// whether it is wanted, memory for it (no items where no output has any), and what was made.
struct Call {
  std::vector<bool> wanted;
  std::vector<Value> memory = {};
  std::vector<Value> inputs = {};
  std::vector<Value> made = {};
};

class GraphSession final : public Session {
 public:
  /// `tuner` may be null.
  GraphSession(Model model, const SessionOptions& options, std::shared_ptr<DeviceContext> device,
               std::shared_ptr<KernelTuner> tuner)
      : model_(std::move(model)),
        options_(options),
        device_(std::move(device)),
        tuner_(std::move(tuner)),
        memory_(std::make_shared<MemoryBudget>(options.limits)),
        fixed_(AreFixed(model_)) {}

  /// Takes the model's weights into account and optimises the graph.
  Result<void> Open();

  Result<std::vector<Value>> Run(const Feeds& feeds, std::span<const std::string> outputs,
                                 const RunLimits& limits) override {
    std::vector<Value> values(outputs.empty() ? model_.outputs().size() : outputs.size());
    TRY(RunInto(feeds, outputs, values, limits));
    return values;
  }
  Result<void> RunInto(const Feeds& feeds, std::span<const std::string> outputs,
                       std::span<Value> values, const RunLimits& limits);
  const Model& model() const override { return model_; }
  Result<std::string> Explain(const Feeds& feeds) override;
  std::vector<NodeProfile> Profile() const override;
  Result<std::int64_t> WorkingBytes(const Feeds& feeds) override;
  std::int64_t MemoryBytes() const override { return memory_->used(); }
  const std::shared_ptr<MemoryBudget>& memory() const { return memory_; }
  Result<std::shared_ptr<Variant>> VariantFor(const std::set<std::string>& overridden);
  Result<std::shared_ptr<const Plan>> PlanFor(const Feeds& feeds, std::shared_ptr<Variant>& used);

 private:
  Result<void> RunCall(const Feeds& feeds, std::span<const std::string> outputs,
                       std::span<const Value> memory, Call& call);
  Result<void> SetMemory(std::span<const std::string> outputs, std::span<const Value> memory,
                         Call& call) const;
  Result<void> RunOnce(const Feeds& feeds, Call& call);
  Result<void> Deliver(Call& call) const;
  Call TakeCall();
  void GiveBack(Call call);
  Result<std::shared_ptr<const Plan>> PlanOf(const Variant& variant, const Feeds& feeds);
  /// Whether a variant had let go of the graph that was needed; the next ones will not.
  bool MustKeepGraph(const Error& error);
  void DropIdle();

  Model model_;
  SessionOptions options_;
  std::shared_ptr<DeviceContext> device_;
  std::shared_ptr<KernelTuner> tuner_;
  std::shared_ptr<MemoryBudget> memory_;
  mutable std::mutex mutex_;  // guards variants_, fixed_ and idle_
  bool fixed_;                ///< one plan will do
  std::vector<Call> idle_;
  std::map<std::set<std::string>, std::shared_ptr<Variant>> variants_;
};

Result<std::shared_ptr<Variant>> GraphSession::VariantFor(const std::set<std::string>& overridden) {
  const std::lock_guard lock(mutex_);
  if (const auto known = variants_.find(overridden); known != variants_.end()) {
    return known->second;
  }
  const KernelChoice choice{.device = options_.device,
                            .reference = options_.reference,
                            .strict = options_.accuracy == Accuracy::kStrict,
                            .precision = options_.precision,
                            .tuner = tuner_};
  auto variant = std::make_shared<Variant>();
  const PassOptions passes{.enabled = options_.passes, .without = {}, .choice = choice};
  Optimized optimized = TRY(Optimize(*model_.graph(), overridden, passes, *device_));
  // Passes that were cut short are not to be kept.
  TRY(MayGoOn());
  variant->runner = std::make_unique<GraphRunner>(
      optimized.graph, device_,
      GraphRunner::Options{
          .passes = passes, .profile = options_.profile, .fixed = fixed_ && overridden.empty()});
  variant->changes = std::move(optimized.changes);
  if (variants_.size() >= kVariantsKept) variants_.erase(std::prev(variants_.end()));
  variants_.emplace(overridden, variant);
  return variant;
}

Result<void> GraphSession::Open() {
  const std::int64_t weights =
      model_.info().parameter_bytes - StoredWeights::NamedBytes(*model_.graph());
  if (!memory_->Take(weights)) return MemoryLimitError(*memory_, weights, "weights");
  const auto variant = TRY(VariantFor({}));
  const bool measures = tuner_ != nullptr && tuner_->left() > KernelTuner::Duration::zero();
  // For one item, where how many there are is all that is open.
  if (!measures || !AreFixed(model_, 1)) return {};
  // Kernels are measured when there is a plan. Where there is none for such inputs, the first run
  // says why.
  if (const auto feeds = ZeroFeeds(model_)) static_cast<void>(PlanOf(*variant, *feeds));
  return {};
}

void GraphSession::DropIdle() {
  const std::lock_guard lock(mutex_);
  for (const auto& [names, variant] : variants_) variant->runner->DropIdle();
}

bool GraphSession::MustKeepGraph(const Error& error) {
  if (error.id != GraphRunner::kPlanGone) return false;
  const std::lock_guard lock(mutex_);
  if (fixed_) variants_.clear();
  fixed_ = false;
  return true;
}

Call GraphSession::TakeCall() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return {};
  Call call = std::move(idle_.back());
  idle_.pop_back();
  return call;
}

void GraphSession::GiveBack(Call call) {
  for (auto* values : {&call.memory, &call.inputs, &call.made})
    std::ranges::for_each(*values, Empty);
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kCallsKept) idle_.push_back(std::move(call));
}

Result<void> GraphSession::SetMemory(std::span<const std::string> outputs,
                                     std::span<const Value> memory, Call& call) const {
  const auto infos = model_.outputs();
  const std::size_t count = outputs.empty() ? infos.size() : outputs.size();
  if (memory.size() != count) {
    return WrongMemory(
        fmt::format("there is memory for {} outputs, wanted are {}", memory.size(), count));
  }
  const bool any = !std::ranges::all_of(memory, &Value::is_none);
  call.memory.resize(any ? infos.size() : 0);
  if (!any) return {};
  if (!outputs.empty()) std::ranges::fill(call.memory, Value());
  for (std::size_t i = 0; i < count; ++i) {
    if (outputs.empty()) {
      call.memory[i] = memory[i];
      continue;
    }
    if (!memory[i].is_none() && std::ranges::count(outputs, outputs[i]) > 1) {
      return WrongMemory(fmt::format("output '{}' is wanted twice, and has memory", outputs[i]));
    }
    const auto at = std::ranges::find(infos, outputs[i], &ValueInfo::name) - infos.begin();
    call.memory[static_cast<std::size_t>(at)] = memory[i];
  }
  return CheckMemory(infos, call.memory);
}

/// Outputs where they are wanted, or else the caller's own.
Result<void> GraphSession::Deliver(Call& call) const {
  for (std::size_t i = 0; i < call.made.size(); ++i) {
    if (!call.wanted[i] || (!call.memory.empty() && !call.memory[i].is_none())) continue;
    call.made[i] = TRY(Owned(std::move(call.made[i])));
    HandOver(call.made[i]);
  }
  return DeliverOutputs(model_.outputs(), call.memory, call.made);
}

Result<void> GraphSession::RunOnce(const Feeds& feeds, Call& call) {
  const auto overridden = TRY(OverriddenNames(model_, feeds));
  const auto run = [&]() -> Result<void> {
    const auto variant = TRY(VariantFor(overridden));
    TRY(InputValues(variant->runner->graph().input_infos, feeds, call.inputs));
    return variant->runner->RunInto(call.inputs, call.wanted, call.memory, call.made);
  };
  auto done = run();
  if (!done && MustKeepGraph(done.error())) done = run();
  TRY(std::move(done));
  return Deliver(call);
}

Result<void> GraphSession::RunCall(const Feeds& feeds, std::span<const std::string> outputs,
                                   std::span<const Value> memory, Call& call) {
  TRY(WantedOutputs(model_, outputs, call.wanted));
  TRY(SetMemory(outputs, memory, call));
  call.made.resize(model_.outputs().size());
  auto done = Held([&] { return RunOnce(feeds, call); });
  if (done || done.error().id != "Run.MemoryLimit") return done;
  // What is kept for the next runs of other shapes may be what there was no room for.
  DropIdle();
  std::ranges::for_each(call.made, Empty);
  return Held([&] { return RunOnce(feeds, call); });
}

Result<void> GraphSession::RunInto(const Feeds& feeds, std::span<const std::string> outputs,
                                   std::span<Value> values, const RunLimits& limits) {
  const ThreadScope threads(device_->threads());
  Bounds bounds(memory_, limits);
  const BoundsScope scope(&bounds);
  Call call = TakeCall();
  TRY(Readable(RunCall(feeds, outputs, values, call)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].is_none()) continue;
    if (outputs.empty()) {
      values[i] = std::move(call.made[i]);
      continue;
    }
    const auto infos = model_.outputs();
    const auto at = std::ranges::find(infos, outputs[i], &ValueInfo::name) - infos.begin();
    values[i] = call.made[static_cast<std::size_t>(at)];
  }
  GiveBack(std::move(call));
  return {};
}

Result<std::shared_ptr<const Plan>> GraphSession::PlanOf(const Variant& variant,
                                                         const Feeds& feeds) {
  std::vector<Value> inputs;
  TRY(InputValues(variant.runner->graph().input_infos, feeds, inputs));
  return variant.runner->PlanFor(inputs, std::vector<bool>(model_.outputs().size(), true));
}

Result<std::shared_ptr<const Plan>> GraphSession::PlanFor(const Feeds& feeds,
                                                          std::shared_ptr<Variant>& used) {
  const auto overridden = TRY(OverriddenNames(model_, feeds));
  const ThreadScope threads(device_->threads());
  Bounds bounds(memory_, {});
  const BoundsScope scope(&bounds);
  used = TRY(VariantFor(overridden));
  auto plan = Held([&] { return PlanOf(*used, feeds); });
  if (!plan && MustKeepGraph(plan.error())) {
    used = TRY(VariantFor(overridden));
    plan = Held([&] { return PlanOf(*used, feeds); });
  }
  return plan;
}

Result<std::string> GraphSession::Explain(const Feeds& feeds) {
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(Readable(PlanFor(feeds, variant)));
  auto changes = variant->changes;
  for (const auto& [pass, count] : plan->changes) changes[pass] += count;
  return PrecisionText(options_.precision) + ExplainPlan(*plan, changes);
}

Result<std::int64_t> GraphSession::WorkingBytes(const Feeds& feeds) {
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(Readable(PlanFor(feeds, variant)));
  return WorkingBytesOf(*plan);
}

std::vector<NodeProfile> GraphSession::Profile() const {
  std::vector<NodeProfile> profile;
  const std::lock_guard lock(mutex_);
  for (const auto& [names, variant] : variants_) variant->runner->AddProfile(profile);
  std::ranges::stable_sort(profile, std::greater(), &NodeProfile::total_ms);
  return profile;
}

}  // namespace

Result<void> RunInto(Session& session, const Feeds& feeds, std::span<const std::string> outputs,
                     std::span<Value> values, const RunLimits& limits) {
  auto* own = dynamic_cast<GraphSession*>(&session);
  SLIPWAY_CHECK(own != nullptr);
  return own->RunInto(feeds, outputs, values, limits);
}

Result<std::int64_t> SessionFlops(Session& session, const Feeds& feeds) {
  auto* own = dynamic_cast<GraphSession*>(&session);
  if (own == nullptr) return std::int64_t{-1};
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(own->PlanFor(feeds, variant));
  return FlopsOf(*plan);
}

Result<std::unique_ptr<Session>> Session::Create(const Model& model, const SessionOptions& options,
                                                 const RunLimits& limits) {
  return CreateSession(model, options, {}, limits);
}

Result<std::unique_ptr<Session>> CreateSession(const Model& model, const SessionOptions& options,
                                               const Tuning& tuning, const RunLimits& limits) {
  TRY(CheckLimits(options.limits));
  TRY(CheckPrecision(options));
  auto device = TRY(MakeDeviceContext(options.device, options.threads));
  ShareWeights(*device, model.graph()->packed);
  const bool tunes = tuning.measured && (tuning.budget.count() > 0 || tuning.measured->size() > 0);
  auto tuner = tunes ? std::make_shared<KernelTuner>(tuning) : nullptr;
  auto session = std::make_unique<GraphSession>(model, Settled(options, model), std::move(device),
                                                std::move(tuner));
  const ThreadScope threads(std::max(1, options.threads == 0 ? UsableCores() : options.threads));
  Bounds bounds(session->memory(), limits);
  const BoundsScope scope(&bounds);
  TRY(Readable(Held([&] { return session->Open(); })));
  TRY(MayGoOn());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace slipway::runtime
