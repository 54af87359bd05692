// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/server/metrics.h"
#include "runtime/server/scorer.h"
#include "runtime/server/script/launch.h"
#include "runtime/server/script/queue.h"
#include "runtime/server/script/settings.h"
#include "runtime/server/script/worker.h"

namespace slipway::server {

class Nursery;

struct ScriptHostOptions {
  ScriptConfig config;
  ScriptSettings settings;
  WorkerSurroundings around;
};

/// Runs a scoring script in worker processes: each request goes to a free worker, a worker that
/// ends, hangs or grows beyond its bound is replaced, at once at first and then at growing
/// intervals. Thread-safe.
class ScriptHost {
 public:
  /// `metrics` must outlive the host.
  ScriptHost(ScriptHostOptions options, Metrics& metrics, LineSink sink = StandardSink());
  ~ScriptHost();
  ScriptHost(const ScriptHost&) = delete;
  ScriptHost& operator=(const ScriptHost&) = delete;

  /// Starts the workers and waits until each has run init(); call once. What the first of them
  /// says that cannot (ids `Script.…`, `Python.…`), or `Script.Stopped`.
  Result<void> Load();
  /// Has a request answered. `Server.Busy`, `Scoring.Timeout`, `Script.WorkerDied`,
  /// `Script.MemoryExceeded`, `Script.ProtocolViolated`, `Script.NoWorker`.
  Result<ScriptReply> Run(const ScriptRequest& request);
  /// Ends the workers. Requests that wait are refused.
  void Stop();
  /// Stop, where Load has not come to its end.
  void StopLoading();

  ReadyState ready() const;
  /// What the script is; nothing is known until the first worker has run init().
  std::shared_ptr<const ScriptFacts> facts() const;
  /// Prometheus text on workers and queue.
  std::string MetricsText() const;

 private:
  struct Slot {
    std::thread keeper;
    std::shared_ptr<ScriptWorker> worker;  // while it runs
    bool live = false;                     // it has run init()
    std::int64_t restarts = 0;
    int failures = 0;  // in a row, with no request answered between
  };

  void Keep(std::size_t index);
  bool KeepOne(std::size_t index);
  Result<std::shared_ptr<ScriptWorker>> StartWorker(ScriptFacts& facts);
  void Watch(ScriptWorker& worker);
  void BecameReady(std::size_t index, const std::shared_ptr<ScriptWorker>& worker,
                   ScriptFacts facts);
  void Failed(Error error);
  bool Pause(std::size_t index);
  bool stopping() const;
  int LiveCount() const;

  const ScriptHostOptions options_;
  Metrics& metrics_;
  const LineSink sink_;
  const std::chrono::milliseconds run_timeout_;
  WorkerLaunch launch_;
  WorkerQueue queue_;
  UniqueFd wake_read_, wake_write_;  // readable once the host stops
  std::unique_ptr<Nursery> nursery_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::shared_ptr<const ScriptFacts> facts_ = std::make_shared<ScriptFacts>();
  std::optional<Error> failure_;
  bool was_ready_ = false, stopping_ = false;
};

}  // namespace slipway::server
