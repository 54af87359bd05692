// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <thread>

#include "runtime/server/script/worker.h"

namespace slipway::server {

/// A process that has run init() and of which workers are copies (WORKER_PRELOAD): they share its
/// memory, and replacing one takes no init(). Thread-safe.
class Nursery {
 public:
  /// `wake` becomes readable when all is to end.
  Nursery(WorkerLaunch launch, std::chrono::milliseconds timeout, int wake, LineSink sink);
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// A new worker; runs init() first where no process has.
  Result<std::shared_ptr<ScriptWorker>> Fork(ScriptFacts& facts);

 private:
  Result<void> Ensure();

  const WorkerLaunch launch_;
  const std::chrono::milliseconds timeout_;
  const int wake_;
  const LineSink sink_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<ScriptWorker> parent_;
  ScriptFacts facts_;
  std::thread watcher_;
};

}  // namespace slipway::server
