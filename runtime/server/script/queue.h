// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "runtime/server/script/worker.h"

namespace slipway::server {

/// Gives free workers to requests, first come, first served. Thread-safe.
class WorkerQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit WorkerQueue(int waiting_max) : waiting_max_(waiting_max) {}

  /// A worker for the caller alone, until it is given back. kUnavailable: `Server.Busy` where too
  /// many wait or the deadline passed, or what Refuse was told.
  Result<std::shared_ptr<ScriptWorker>> Take(Time deadline);
  /// Gives a worker to who waits longest. One that is not usable is dropped.
  void Put(std::shared_ptr<ScriptWorker> worker);
  /// No worker is there and none will be soon: those who wait and who come get this error, until
  /// a worker is put or, where it is `for_ever`, whatever is put.
  void Refuse(Error error, bool for_ever = false);
  /// Takes a worker that has ended out.
  void Drop(const ScriptWorker* worker);
  int waiting() const;
  int idle() const;

 private:
  struct Waiter {
    std::condition_variable wake;
    std::shared_ptr<ScriptWorker> worker;
    bool refused = false;
  };

  const int waiting_max_;
  mutable std::mutex mutex_;                         // guards what follows
  std::vector<std::shared_ptr<ScriptWorker>> idle_;  // the last used at the end
  std::list<Waiter*> waiters_;
  std::optional<Error> refusal_;
  bool closed_ = false;
};

}  // namespace slipway::server
