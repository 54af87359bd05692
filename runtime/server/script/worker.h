// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/process.h"
#include "runtime/server/script/channel.h"
#include "runtime/server/script/launch.h"
#include "runtime/server/script/output.h"

namespace slipway::server {

/// What a worker tells of its script once init() is done.
struct ScriptFacts {
  std::string python;                                       ///< version, `3.11.2`
  bool raw = false;                                         ///< @rawhttp
  std::map<std::string, std::string, std::less<>> swagger;  ///< JSON texts by version
};

/// The ends of a new worker's socket and pipes that the worker is to have.
struct WorkerEnds {
  UniqueFd socket, out, err;
};

/// One process that runs a scoring script. Its keeper, one thread, calls Start, AwaitReady and
/// AwaitEnd; whoever took it from the queue calls Ask. Kill and Retire are for any thread.
class ScriptWorker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Starts Python; it ends when the calling thread does. `preload`: the process is to be copied.
  static Result<std::shared_ptr<ScriptWorker>> Start(const WorkerLaunch& launch, bool preload,
                                                     const LineSink& sink);
  /// The server's side of a worker that is about to be forked, and the ends to hand over.
  static Result<std::shared_ptr<ScriptWorker>> Prepare(const LineSink& sink, WorkerEnds& ends);
  /// Says which process it has become.
  Result<void> Become(pid_t pid);

  /// Waits for init() to end, passing on output. What the script did wrong (ids `Script.…`),
  /// `Script.InitTimeout`, or `Script.Stopped` where `wake` became readable.
  Result<ScriptFacts> AwaitReady(Time deadline, int wake);

  /// Has one request answered. kUnavailable (id `Script.WorkerGone`): the worker had ended before,
  /// and another may be asked. Any other error ends this worker: `Scoring.Timeout`,
  /// `Script.WorkerDied`, `Script.MemoryExceeded`, `Script.ProtocolViolated`.
  Result<ScriptReply> Ask(const ScriptRequest& request, std::chrono::milliseconds timeout);

  /// Has a preloaded worker make a copy.
  Result<std::shared_ptr<ScriptWorker>> Fork(const LineSink& sink, Time deadline);

  /// Passes on output until the process has ended, `wake` becomes readable or `deadline`; true if
  /// it has ended.
  bool AwaitEnd(Time deadline, int wake);
  /// Lets the process end by itself, then by force. Returns when it has ended.
  void Stop(std::chrono::milliseconds grace);
  /// Ends the process and all it has started. The first reason given is the one that counts.
  void Kill(Error reason);

  /// No request is to be given to it any more.
  void Retire() { retired_ = true; }
  bool usable() const { return !retired_ && !ended_; }
  /// Whether a request has it, as the queue says.
  bool busy() const { return busy_; }
  void SetBusy(bool busy) { busy_ = busy; }
  /// Whether it has ever answered a request.
  bool has_answered() const { return has_answered_; }
  std::int64_t ResidentBytes() const;
  std::int64_t baseline_bytes() const { return baseline_bytes_; }
  pid_t pid() const { return id_.pid; }
  /// How it ended: `exit status 4`, `signal 11 (Segmentation fault)`; empty while it runs.
  std::string ending() const;

 private:
  ScriptWorker(UniqueFd socket, UniqueFd out, UniqueFd err, const LineSink& sink);
  static Result<std::shared_ptr<ScriptWorker>> Connect(const LineSink& sink, WorkerEnds& ends);
  bool HasEnded();
  void PollOnce(int timeout_ms, int wake, bool with_socket);
  Result<ScriptReply> Exchange(const ScriptRequest& request, Time deadline);
  Error WhyEnded(Error error);

  ScriptChannel channel_;
  OutputRelay output_;
  ProcessId id_;
  UniqueFd pidfd_;
  std::int64_t baseline_bytes_ = 0;
  std::atomic<bool> retired_ = false, ended_ = false, busy_ = false, has_answered_ = false;
  mutable std::mutex mutex_;  // guards what follows, and id_.pid's meaning until ended_
  std::condition_variable changed_;
  std::optional<Error> reason_;
  std::optional<int> status_;
};

}  // namespace slipway::server
