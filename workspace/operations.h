// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "workspace/api.h"
#include "workspace/store.h"

namespace slipway::workspace {

/// How a running operation tells of itself. Thread-safe.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual const std::string& id() const = 0;
  /// Begins a phase: `layer model: building`.
  virtual void Phase(std::string_view text, std::int64_t percent) = 0;
  virtual void Log(std::string_view line) = 0;
  /// Whether somebody wants it to end; work polls this.
  virtual bool Cancelled() const = 0;
};

/// Long work, and what becomes of the rows it is about. `prepare`, and then either `succeed` or
/// `fail`, each run in one transaction with the state of the operation.
struct Job {
  std::string kind;            ///< `image.create`
  std::string workspace = {};  ///< empty for none
  /// Makes the rows that will be worked on; says the path of the resource.
  std::function<Result<std::string>(const std::string& operation_id)> prepare = {};
  std::function<Result<void>(Progress&)> run = {};
  std::function<Result<void>()> succeed = {};
  std::function<Result<void>(const Error&)> fail = {};
};

struct OperationsOptions {
  int threads = 4;
  std::int64_t pending_max = limits::kPendingOperations;
};

/// Long work on a bounded pool of threads, each kept in the store: one that was cut off by the
/// death of the program is found Failed with `Operation.Interrupted` after the next start.
/// Thread-safe.
class Operations {
 public:
  /// The references must outlive the object.
  static std::unique_ptr<Operations> Make(Store& store, Clock& clock,
                                          const OperationsOptions& options = {});
  virtual ~Operations() = default;

  /// Marks what was under way when the program died as Failed, images and promotions too. Says
  /// which they were. Call it once, before Start.
  virtual Result<std::vector<api::Operation>> Recover() = 0;
  /// kResourceExhausted (id `Operation.QueueFull`), kUnavailable while stopping, or what
  /// `prepare` answers; then nothing is kept.
  virtual Result<api::Operation> Start(Job job) = 0;
  /// Work that leaves no trace in the store, after what waits already. Dropped while stopping.
  virtual void Later(std::function<void()> work) = 0;
  /// kNotFound (id `Operation.NotFound`).
  virtual Result<api::Operation> Get(std::string_view id) = 0;
  /// Asks it to end. kFailedPrecondition (id `Operation.Ended`) if it has already.
  virtual Result<api::Operation> Cancel(std::string_view id) = 0;

  /// What happened after event `after`, waiting up to `wait` for the first; `ended` once there
  /// is nothing more to come.
  struct News {
    std::vector<OperationEvent> events;
    bool ended = false;
  };
  virtual Result<News> Wait(std::string_view id, std::int64_t after,
                            std::chrono::milliseconds wait) = 0;
  /// Operations by state, for metrics: waiting and running now, ended since the start.
  struct Counts {
    std::int64_t waiting = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0;
  };
  virtual Counts counts() const = 0;

  /// Takes nothing new, lets what runs finish for `grace`, then cancels it and waits for its end.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace slipway::workspace
