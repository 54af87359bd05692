// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/nursery.h"

#include <future>

namespace slipway::server {
namespace {

constexpr std::chrono::milliseconds kGrace{2000};
constexpr std::chrono::hours kForEver{24 * 365};
constexpr int kTries = 2;

}  // namespace

Nursery::Nursery(WorkerLaunch launch, std::chrono::milliseconds timeout, int wake, LineSink sink)
    : launch_(std::move(launch)), timeout_(timeout), wake_(wake), sink_(std::move(sink)) {}

Nursery::~Nursery() {
  if (watcher_.joinable()) watcher_.join();
}

/// Starts the process that is copied, on the thread that keeps it: it ends with that thread.
Result<void> Nursery::Ensure() {
  if (parent_ && parent_->usable()) return {};
  if (watcher_.joinable()) watcher_.join();
  auto ready = std::make_shared<std::promise<Result<ScriptFacts>>>();
  auto outcome = ready->get_future();
  watcher_ = std::thread([this, ready] {
    auto started = ScriptWorker::Start(launch_, true, sink_);
    if (!started) {
      ready->set_value(std::move(started).error());
      return;
    }
    const std::shared_ptr<ScriptWorker> parent = *started;
    auto facts = parent->AwaitReady(std::chrono::steady_clock::now() + timeout_, wake_);
    const bool failed = !facts.has_value();
    if (!failed) parent_ = parent;
    ready->set_value(std::move(facts));
    if (!failed) parent->AwaitEnd(std::chrono::steady_clock::now() + kForEver, wake_);
    parent->Stop(kGrace);
  });
  auto facts = outcome.get();
  if (!facts) return std::move(facts).error();
  facts_ = *std::move(facts);
  return {};
}

Result<std::shared_ptr<ScriptWorker>> Nursery::Fork(ScriptFacts& facts) {
  const std::lock_guard lock(mutex_);
  for (int tries = 1;; ++tries) {
    TRY(Ensure());
    facts = facts_;
    auto worker = parent_->Fork(sink_, std::chrono::steady_clock::now() + timeout_);
    if (worker) return worker;
    parent_->Kill(worker.error());
    if (tries == kTries) return worker;
  }
}

}  // namespace slipway::server
