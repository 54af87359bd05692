// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/queue.h"

#include <fmt/format.h>

#include <algorithm>

namespace slipway::server {

Result<std::shared_ptr<ScriptWorker>> WorkerQueue::Take(Time deadline) {
  std::unique_lock lock(mutex_);
  while (!idle_.empty() && !closed_) {
    std::shared_ptr<ScriptWorker> worker = std::move(idle_.back());
    idle_.pop_back();
    if (!worker->usable()) continue;
    worker->SetBusy(true);
    return worker;
  }
  if (refusal_) return *refusal_;
  if (static_cast<int>(waiters_.size()) >= waiting_max_) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("{} requests are waiting already", waiters_.size()),
                 .id = "Server.Busy",
                 .fix = "try again later, or give the service more workers"};
  }
  const Time began = std::chrono::steady_clock::now();
  Waiter waiter;
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  waiter.wake.wait_until(lock, deadline,
                         [&waiter] { return waiter.worker != nullptr || waiter.refused; });
  if (waiter.worker) return std::move(waiter.worker);
  if (waiter.refused && refusal_) return *refusal_;
  if (!waiter.refused) waiters_.erase(place);
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("no worker was free for {} ms", waited.count()),
               .id = "Server.Busy",
               .fix = "try again later, or give the service more workers"};
}

void WorkerQueue::Put(std::shared_ptr<ScriptWorker> worker) {
  const std::lock_guard lock(mutex_);
  worker->SetBusy(false);
  if (closed_ || !worker->usable()) return;
  refusal_.reset();
  if (waiters_.empty()) {
    idle_.push_back(std::move(worker));
    return;
  }
  Waiter* first = waiters_.front();
  waiters_.pop_front();
  worker->SetBusy(true);
  first->worker = std::move(worker);
  first->wake.notify_one();
}

void WorkerQueue::Refuse(Error error, bool for_ever) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = for_ever;
  refusal_ = std::move(error);
  for (Waiter* waiter : waiters_) {
    waiter->refused = true;
    waiter->wake.notify_one();
  }
  waiters_.clear();
}

void WorkerQueue::Drop(const ScriptWorker* worker) {
  const std::lock_guard lock(mutex_);
  std::erase_if(idle_, [worker](const auto& item) { return item.get() == worker; });
}

int WorkerQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(waiters_.size());
}

int WorkerQueue::idle() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(idle_.size());
}

}  // namespace slipway::server
