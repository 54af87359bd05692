// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/scorer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "runtime/device/device.h"
#include "runtime/server/golden.h"

namespace slipway::server {
namespace {

using Steady = std::chrono::steady_clock;

constexpr Steady::duration kQuickRun = std::chrono::microseconds(250);
/// What a run counts at most, so that one that was interrupted does not decide, but two do; and
/// what counts until there have been some.
constexpr Steady::duration kRunTimeMost = 6 * kQuickRun;
constexpr int kRunsRemembered = 8;

std::string ModelList(std::span<const ServedModel> models) {
  std::string out;
  for (const ServedModel& model : models) {
    out += fmt::format("{}{}:{}", out.empty() ? "" : ", ", model.name, model.version);
  }
  return out;
}

Error TimedOut(std::chrono::milliseconds after) {
  return {.code = Code::kDeadlineExceeded,
          .message = fmt::format("Scoring timeout after {} ms", after.count()),
          .id = "Scoring.Timeout"};
}

}  // namespace

runtime::Session& ServedModel::SessionFor(const runtime::Feeds& feeds) const {
  if (!light.session) return *session;
  const std::int64_t elements = ElementsOf(feeds);
  return elements >= 0 && elements <= light.elements_max ? *light.session : *session;
}

Scorer::Scorer(ScorerOptions options)
    : options_(std::move(options)),
      slots_(options_.threads > 0 ? options_.threads : runtime::UsableCores()),
      run_time_(kRunTimeMost) {}

Scorer::~Scorer() {
  Stop();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_ == 0; });
}

void Scorer::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void Scorer::SetReady(Readiness readiness, std::string detail) {
  const std::lock_guard lock(mutex_);
  ready_ = {readiness, std::move(detail)};
  changed_.notify_all();
}

ReadyState Scorer::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

Result<void> Scorer::LoadOne(const ModelConfig& config) {
  const auto began = Steady::now();
  std::filesystem::path file = TRY(ModelFile(config.path));
  const runtime::Model model =
      TRY(runtime::Model::Load(file, {.memory_bytes = options_.memory_bytes}));
  runtime::SessionOptions options{.threads = slots_};
  options.limits.memory_bytes = options_.memory_bytes;
  options.precision = options_.precision;
  auto tuned = TRY(runtime::OpenTuned(model, file, options, options_.tune));
  if (!tuned.warning.empty()) log::Warn(tuned.warning, {{"model", config.name}});
  models_.push_back({.name = config.name,
                     .version = config.version,
                     .file = std::move(file),
                     .session = std::move(tuned.session),
                     .light = MakeLight(model, options, tuned.measured)});
  metrics_.ModelLoaded(config.name + ":" + config.version, Steady::now() - began);
  return {};
}

Result<void> Scorer::Load() {
  models_.reserve(options_.models.size());
  for (const ModelConfig& config : options_.models) {
    if (auto loaded = LoadOne(config); !loaded) {
      Error error = Within(fmt::format("model {}:{}", config.name, config.version),
                           std::move(loaded).error());
      SetReady(Readiness::kFailed, error.message);
      return error;
    }
  }
  SetReady(Readiness::kChecking, "golden samples are being compared");
  return {};
}

Result<void> Scorer::CheckGolden() {
  std::int64_t reproduced = 0;
  for (const ServedModel& model : models_) {
    auto checked = CheckGoldenSamples(model, ToleranceOf(options_.precision), options_.time_limit);
    if (!checked) {
      Error error =
          Within(fmt::format("model {}:{}", model.name, model.version), std::move(checked).error());
      SetReady(Readiness::kWrong, error.message);
      return error;
    }
    reproduced += *checked;
  }
  SetReady(Readiness::kReady, reproduced == 0
                                  ? "loaded; there are no golden samples"
                                  : fmt::format("{} golden samples reproduced", reproduced));
  return {};
}

Result<const ServedModel*> Scorer::Find(std::string_view name, std::string_view version) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || ready_.readiness != Readiness::kLoading; });
    if (ready_.readiness == Readiness::kLoading || ready_.readiness == Readiness::kFailed) {
      return Error{
          .code = Code::kUnavailable, .message = "no model is loaded", .id = "Model.NotLoaded"};
    }
  }
  if (name.empty() && models_.size() > 1) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "this server has several models: " + ModelList(models_),
                 .id = "Model.Ambiguous",
                 .fix = "ask /v1/models/NAME/versions/VERSION:predict"};
  }
  for (auto it = models_.rbegin(); it != models_.rend(); ++it) {
    if ((name.empty() || it->name == name) && (version.empty() || it->version == version)) {
      return &*it;
    }
  }
  return Error{.code = Code::kNotFound,
               .message = fmt::format("no model {}{}{}; there is {}", name,
                                      version.empty() ? "" : ":", version, ModelList(models_)),
               .id = "Model.NotFound"};
}

std::span<const ServedModel> Scorer::models() const {
  const std::lock_guard lock(mutex_);
  const bool loaded =
      ready_.readiness != Readiness::kLoading && ready_.readiness != Readiness::kFailed;
  return loaded ? std::span<const ServedModel>(models_) : std::span<const ServedModel>();
}

Result<void> Scorer::Enter(std::optional<Time> deadline) {
  std::unique_lock lock(mutex_);
  if (waiting_ >= options_.waiting_max) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("{} requests are waiting already", waiting_),
                 .id = "Server.Busy",
                 .fix = "try again later, or give the service more cores"};
  }
  ++waiting_;
  auto free = [this] { return stopping_ || running_ < slots_; };
  bool in_time = true;
  if (deadline) {
    in_time = changed_.wait_until(lock, *deadline, free);
  } else {
    changed_.wait(lock, free);
  }
  --waiting_;
  if (stopping_) changed_.notify_all();
  if (!in_time) return TimedOut(*options_.timeout);
  if (stopping_) {
    return Error{.code = Code::kUnavailable, .message = "the server is stopping"};
  }
  ++running_;
  return {};
}

void Scorer::Leave() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_one();
}

bool Scorer::IsQuick() const {
  if (run_time_.load(std::memory_order_relaxed) > kQuickRun) return false;
  const std::lock_guard lock(mutex_);
  return running_ < slots_ && waiting_ == 0;
}

void Scorer::NoteRunTime(Time::duration took) {
  const Time::duration before = run_time_.load(std::memory_order_relaxed);
  const Time::duration change = (std::min(took, kRunTimeMost) - before) / kRunsRemembered;
  run_time_.store(before + change, std::memory_order_relaxed);
}

Result<Scorer::Outcome> Scorer::RunNow(const ServedModel& model, const runtime::Feeds& feeds,
                                       const std::vector<std::string>& outputs,
                                       std::optional<Time> deadline) {
  const auto began = Steady::now();
  std::optional<std::chrono::milliseconds> bound = options_.timeout;
  if (options_.time_limit && (!deadline || began + *options_.time_limit < *deadline)) {
    bound = options_.time_limit;
    deadline = began + *bound;
  }
  auto values = model.SessionFor(feeds).Run(feeds, outputs, {.deadline = deadline});
  const auto took = Steady::now() - began;
  NoteRunTime(took);
  if (bound && !values && values.error().id == "Run.DeadlineExceeded") return TimedOut(*bound);
  if (values) metrics_.RunEnded(model.name + ":" + model.version, took);
  Outcome outcome;
  outcome.values = TRY(std::move(values));
  outcome.run_ms = std::chrono::duration<double, std::milli>(took).count();
  return outcome;
}

Result<Scorer::Outcome> Scorer::Run(const ServedModel& model, const runtime::Feeds& feeds,
                                    const std::vector<std::string>& outputs) {
  std::optional<Time> deadline;
  if (options_.timeout) deadline = Steady::now() + *options_.timeout;
  TRY(Enter(deadline));
  auto outcome = RunNow(model, feeds, outputs, deadline);
  Leave();
  return outcome;
}

}  // namespace slipway::server
