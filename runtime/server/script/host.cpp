// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "runtime/server/script/nursery.h"

namespace slipway::server {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kGrace{2000}, kFirstPause{100}, kLongestPause{10'000}, kLook{200},
    kRetiredLook{5};
constexpr int kTries = 3;
/// A worker that has grown by this share of what it may is replaced between two requests.
constexpr double kRetireShare = 0.75;
constexpr std::int64_t kMiB = 1 << 20;

milliseconds PauseAfter(int failures) {
  if (failures <= 1) return milliseconds(0);
  const int doublings = std::min(failures - 2, 16);
  return std::min(kLongestPause, kFirstPause * (1 << doublings));
}

}  // namespace

ScriptHost::ScriptHost(ScriptHostOptions options, Metrics& metrics, LineSink sink)
    : options_(std::move(options)),
      metrics_(metrics),
      sink_(std::move(sink)),
      run_timeout_(std::min(options_.settings.scoring_timeout, options_.settings.worker_timeout)),
      queue_(options_.settings.waiting_max) {}

ScriptHost::~ScriptHost() { Stop(); }

Result<void> ScriptHost::Load() {
  launch_ = TRY(PlanWorker(options_.config, options_.around));
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  wake_read_ = UniqueFd(ends[0]);
  wake_write_ = UniqueFd(ends[1]);
  if (options_.settings.preload) {
    nursery_ = std::make_unique<Nursery>(launch_, options_.settings.worker_timeout,
                                         wake_read_.get(), sink_);
  }
  std::unique_lock lock(mutex_);
  slots_.resize(static_cast<std::size_t>(options_.settings.workers));
  for (std::size_t i = 0; i < slots_.size() && !stopping_; ++i) {
    slots_[i].keeper = std::thread([this, i] { Keep(i); });
  }
  changed_.wait(lock, [this] {
    return stopping_ || failure_ || LiveCount() == static_cast<int>(slots_.size());
  });
  if (failure_) return *failure_;
  if (stopping_) {
    return Error{
        .code = Code::kUnavailable, .message = "the server is stopping", .id = "Script.Stopped"};
  }
  was_ready_ = true;
  return {};
}

void ScriptHost::Keep(std::size_t index) {
  while (!stopping() && KeepOne(index) && Pause(index)) {
  }
}

/// The life of one worker. False where no further one is to be started.
bool ScriptHost::KeepOne(std::size_t index) {
  const auto began = Steady::now();
  ScriptFacts facts;
  auto started = StartWorker(facts);
  if (!started) {
    const std::lock_guard lock(mutex_);
    ++slots_[index].failures;
    if (stopping_) return false;
    Failed(std::move(started).error());
    return was_ready_;
  }
  const std::shared_ptr<ScriptWorker> worker = *std::move(started);
  log::Info("worker ready",
            {{"worker", index},
             {"pid", worker->pid()},
             {"python", facts.python},
             {"ms", std::chrono::duration<double, std::milli>(Steady::now() - began).count()}});
  BecameReady(index, worker, std::move(facts));
  Watch(*worker);
  queue_.Drop(worker.get());
  worker->Stop(kGrace);
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[index];
  slot.live = false;
  slot.worker.reset();
  if (stopping_) return false;
  ++slot.restarts;
  slot.failures = worker->has_answered() ? 1 : slot.failures + 1;
  log::Warn("worker ended", {{"worker", index}, {"pid", worker->pid()}, {"how", worker->ending()}});
  return true;
}

Result<std::shared_ptr<ScriptWorker>> ScriptHost::StartWorker(ScriptFacts& facts) {
  if (nursery_) return nursery_->Fork(facts);
  auto worker = TRY(ScriptWorker::Start(launch_, false, sink_));
  auto ready =
      worker->AwaitReady(Steady::now() + options_.settings.worker_timeout, wake_read_.get());
  if (!ready) {
    worker->Stop(kGrace);
    return std::move(ready).error();
  }
  facts = *std::move(ready);
  return worker;
}

void ScriptHost::BecameReady(std::size_t index, const std::shared_ptr<ScriptWorker>& worker,
                             ScriptFacts facts) {
  {
    const std::lock_guard lock(mutex_);
    slots_[index].live = true;
    slots_[index].worker = worker;
    facts_ = std::make_shared<const ScriptFacts>(std::move(facts));
    if (was_ready_) failure_.reset();
    changed_.notify_all();
  }
  queue_.Put(worker);
}

/// Called with mutex_ held.
void ScriptHost::Failed(Error error) {
  if (!was_ready_) {
    if (!failure_) failure_ = std::move(error);
    changed_.notify_all();
    return;
  }
  log::Failure("worker not started: " + error.message, {{"cause", error.id}, {"fix", error.fix}});
  if (LiveCount() == 0) {
    queue_.Refuse({.code = Code::kUnavailable,
                   .message = "no worker can be started: " + error.message,
                   .id = "Script.NoWorker"});
  }
  failure_ = std::move(error);
}

/// Until the worker has ended or is to be replaced.
void ScriptHost::Watch(ScriptWorker& worker) {
  const std::int64_t bound = options_.settings.memory_bytes;
  milliseconds look = kLook;
  while (!worker.AwaitEnd(Steady::now() + look, wake_read_.get())) {
    if (stopping() || (!worker.usable() && !worker.busy())) return;
    if (bound <= 0) continue;
    const std::int64_t resident = worker.ResidentBytes();
    const std::int64_t base = std::min(worker.baseline_bytes(), bound);
    if (resident > bound) {
      worker.Kill({.code = Code::kResourceExhausted,
                   .message = fmt::format("the scoring process used {} MiB, at most {} are allowed",
                                          resident / kMiB, bound / kMiB),
                   .id = "Script.MemoryExceeded",
                   .fix = "give the service more memory, or set SLIPWAY_WORKER_MEMORY_MB"});
    } else if (worker.usable() && static_cast<double>(resident - base) >
                                      kRetireShare * static_cast<double>(bound - base)) {
      log::Warn(
          "worker is replaced: it has grown",
          {{"pid", worker.pid()}, {"resident_mib", resident / kMiB}, {"bound_mib", bound / kMiB}});
      worker.Retire();
      look = kRetiredLook;
    }
  }
}

/// Waits before the next start; false where there is to be none.
bool ScriptHost::Pause(std::size_t index) {
  milliseconds pause{0};
  {
    const std::lock_guard lock(mutex_);
    pause = PauseAfter(slots_[index].failures);
  }
  return !AwaitFd(wake_read_.get(), POLLIN, Steady::now() + pause);
}

Result<ScriptReply> ScriptHost::Run(const ScriptRequest& request) {
  const auto wait = options_.settings.queue_wait.value_or(run_timeout_);
  for (int tries = 1;; ++tries) {
    const auto began = Steady::now();
    auto worker = TRY(queue_.Take(began + wait));
    const auto waited = Steady::now();
    metrics_.QueueEnded(waited - began);
    auto reply = worker->Ask(request, run_timeout_);
    metrics_.RunEnded("script", Steady::now() - waited);
    queue_.Put(std::move(worker));
    if (reply || reply.error().id != "Script.WorkerGone" || tries == kTries) return reply;
  }
}

void ScriptHost::Stop() {
  std::vector<std::thread> keepers;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Slot& slot : slots_) keepers.push_back(std::move(slot.keeper));
    changed_.notify_all();
  }
  queue_.Refuse({.code = Code::kUnavailable, .message = "the server is stopping"}, true);
  if (wake_write_ && ::write(wake_write_.get(), "x", 1) < 0) {
    log::Warn("workers are not told to stop", {});
  }
  for (std::thread& keeper : keepers) {
    if (keeper.joinable()) keeper.join();
  }
  nursery_.reset();
}

void ScriptHost::StopLoading() {
  {
    const std::lock_guard lock(mutex_);
    if (was_ready_) return;
  }
  Stop();
}

bool ScriptHost::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

/// Called with mutex_ held.
int ScriptHost::LiveCount() const {
  return static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.live; }));
}

ReadyState ScriptHost::ready() const {
  const std::lock_guard lock(mutex_);
  const int live = LiveCount();
  const std::string text =
      fmt::format("{} of {} workers have run init()", live, options_.settings.workers);
  if (was_ready_ && live > 0) return {Readiness::kReady, text};
  if (failure_) return {Readiness::kFailed, failure_->message};
  return {Readiness::kLoading, text};
}

std::shared_ptr<const ScriptFacts> ScriptHost::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

std::string ScriptHost::MetricsText() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  out += "# HELP slipway_workers Workers that have run init().\n# TYPE slipway_workers gauge\n";
  out += fmt::format("slipway_workers {}\n", LiveCount());
  out += "# HELP slipway_workers_idle Workers that wait for a request.\n";
  out += fmt::format("# TYPE slipway_workers_idle gauge\nslipway_workers_idle {}\n", queue_.idle());
  out += "# HELP slipway_requests_waiting Requests that wait for a worker.\n";
  out += fmt::format("# TYPE slipway_requests_waiting gauge\nslipway_requests_waiting {}\n",
                     queue_.waiting());
  out += "# HELP slipway_worker_restarts_total Workers that ended and were replaced.\n";
  out += "# TYPE slipway_worker_restarts_total counter\n";
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    out +=
        fmt::format("slipway_worker_restarts_total{{worker=\"{}\"}} {}\n", i, slots_[i].restarts);
  }
  out += "# HELP slipway_worker_resident_memory_bytes Resident memory of a worker.\n";
  out += "# TYPE slipway_worker_resident_memory_bytes gauge\n";
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].worker) continue;
    out += fmt::format("slipway_worker_resident_memory_bytes{{worker=\"{}\"}} {}\n", i,
                       slots_[i].worker->ResidentBytes());
  }
  return out;
}

}  // namespace slipway::server
