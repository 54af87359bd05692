// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "runtime/device/device.h"
#include "runtime/graph/explain.h"
#include "runtime/graph/feeds.h"
#include "runtime/graph/optimize.h"
#include "runtime/graph/runner.h"
#include "runtime/runtime.h"

namespace slipway::runtime {
namespace {

constexpr std::size_t kVariantsKept = 8;

/// The model optimised for one set of initialisers that are fed instead.
struct Variant {
  Optimized optimized;
  std::unique_ptr<GraphRunner> runner;
};

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

class GraphSession final : public Session {
 public:
  GraphSession(Model model, const SessionOptions& options, std::shared_ptr<DeviceContext> device)
      : model_(std::move(model)), options_(options), device_(std::move(device)) {}

  Result<std::vector<Value>> Run(const Feeds& feeds, std::span<const std::string> outputs,
                                 const RunLimits& limits) override;
  const Model& model() const override { return model_; }
  Result<std::string> Explain(const Feeds& feeds) override;
  std::vector<NodeProfile> Profile() const override;
  Result<std::int64_t> WorkingBytes(const Feeds& feeds) override;
  Result<std::shared_ptr<Variant>> VariantFor(const std::set<std::string>& overridden);
  Result<std::shared_ptr<const Plan>> PlanFor(const Feeds& feeds, std::shared_ptr<Variant>& used);

 private:
  Model model_;
  SessionOptions options_;
  std::shared_ptr<DeviceContext> device_;
  mutable std::mutex mutex_;  // guards variants_
  std::map<std::set<std::string>, std::shared_ptr<Variant>> variants_;
};

Result<std::shared_ptr<Variant>> GraphSession::VariantFor(const std::set<std::string>& overridden) {
  const std::lock_guard lock(mutex_);
  if (const auto known = variants_.find(overridden); known != variants_.end()) {
    return known->second;
  }
  const KernelChoice choice{.device = options_.device, .reference = options_.reference};
  auto variant = std::make_shared<Variant>();
  const PassOptions passes{.enabled = options_.passes, .without = {}, .choice = choice};
  variant->optimized = TRY(Optimize(*model_.graph(), overridden, passes, *device_));
  variant->runner = std::make_unique<GraphRunner>(
      variant->optimized.graph, device_,
      GraphRunner::Options{.passes = passes, .profile = options_.profile});
  if (variants_.size() >= kVariantsKept) variants_.erase(std::prev(variants_.end()));
  variants_.emplace(overridden, variant);
  return variant;
}

Result<std::vector<Value>> GraphSession::Run(const Feeds& feeds,
                                             std::span<const std::string> outputs,
                                             const RunLimits& limits) {
  const auto wanted = TRY(WantedOutputs(model_, outputs));
  const auto overridden = TRY(OverriddenNames(model_, feeds));
  const ThreadScope threads(device_->threads());
  const auto variant = TRY(VariantFor(overridden));
  auto made = [&]() -> Result<std::vector<Value>> {
    const auto inputs = TRY(InputValues(variant->runner->graph().input_infos, feeds));
    return variant->runner->Run(inputs, wanted, limits);
  }();
  if (!made) return std::move(made).error();
  for (Value& value : *made) value = TRY(Owned(std::move(value)));
  if (outputs.empty()) return made;
  std::vector<Value> ordered;
  for (const std::string& name : outputs) {
    std::size_t at = 0;
    for (std::size_t i = 0; model_.outputs()[i].name != name; ++i) at += wanted[i] ? 1 : 0;
    ordered.push_back((*made)[at]);
  }
  return ordered;
}

Result<std::shared_ptr<const Plan>> GraphSession::PlanFor(const Feeds& feeds,
                                                          std::shared_ptr<Variant>& used) {
  const auto overridden = TRY(OverriddenNames(model_, feeds));
  const ThreadScope threads(device_->threads());
  used = TRY(VariantFor(overridden));
  const auto inputs = TRY(InputValues(used->runner->graph().input_infos, feeds));
  return used->runner->PlanFor(inputs, std::vector<bool>(model_.outputs().size(), true));
}

Result<std::string> GraphSession::Explain(const Feeds& feeds) {
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(PlanFor(feeds, variant));
  auto changes = variant->optimized.changes;
  for (const auto& [pass, count] : plan->changes) changes[pass] += count;
  return ExplainPlan(*plan, changes);
}

Result<std::int64_t> GraphSession::WorkingBytes(const Feeds& feeds) {
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(PlanFor(feeds, variant));
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

Result<std::int64_t> SessionFlops(Session& session, const Feeds& feeds) {
  auto* own = dynamic_cast<GraphSession*>(&session);
  if (own == nullptr) return std::int64_t{-1};
  std::shared_ptr<Variant> variant;
  const auto plan = TRY(own->PlanFor(feeds, variant));
  return FlopsOf(*plan);
}

Result<std::unique_ptr<Session>> Session::Create(const Model& model,
                                                 const SessionOptions& options) {
  auto device = TRY(MakeDeviceContext(options.device, options.threads));
  auto session = std::make_unique<GraphSession>(model, options, std::move(device));
  const ThreadScope threads(std::max(1, options.threads == 0 ? UsableCores() : options.threads));
  TRY(session->VariantFor({}));
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace slipway::runtime
