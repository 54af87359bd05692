// SPDX-License-Identifier: Apache-2.0
#include "workspace/operations.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "workspace/state_folder.h"

namespace slipway::workspace {
namespace {

constexpr std::chrono::milliseconds kSaveEvery{250};
constexpr std::size_t kEventsMax = 10'000;
constexpr std::size_t kTextMax = 2'000;

bool HasEnded(const api::Operation& operation) { return !operation.ended_time.empty(); }

/// An operation that has not ended, or is just about to.
struct Live {
  Job job;
  api::Operation operation;            // guarded by Pool::mutex_
  std::vector<OperationEvent> events;  // guarded by Pool::mutex_
  std::size_t saved = 0;               // guarded by Pool::mutex_
  std::chrono::steady_clock::time_point saved_at;
  std::atomic<bool> cancelled = false;    // by somebody
  std::atomic<bool> interrupted = false;  // by the end of the program
};

Error Interrupted() {
  return Error{.code = Code::kUnavailable,
               .message = "the workspace service ended before the operation did",
               .id = "Operation.Interrupted",
               .fix = "run it again",
               .cause = "slipwayd was stopped or killed while it was under way"};
}

void SetError(api::Operation& operation, const Error& error) {
  operation.error_code = ErrorId(error);
  operation.error = error.message;
  operation.error_cause = error.cause;
  operation.fix = error.fix;
}

class Pool final : public Operations {
 public:
  Pool(Store& store, Clock& clock, const OperationsOptions& options)
      : store_(store), clock_(clock), options_(options) {
    for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() override { Stop(std::chrono::milliseconds(0)); }

  Result<std::vector<api::Operation>> Recover() override;
  Result<api::Operation> Start(Job job) override;
  void Later(std::function<void()> work) override;
  Result<api::Operation> Get(std::string_view id) override;
  Result<api::Operation> Cancel(std::string_view id) override;
  Result<News> Wait(std::string_view id, std::int64_t after,
                    std::chrono::milliseconds wait) override;
  Counts counts() const override;
  void Stop(std::chrono::milliseconds grace) override;

 private:
  friend class LiveProgress;
  using Task = std::function<void()>;

  void Work();
  void Run(const std::shared_ptr<Live>& live);
  Result<void> Execute(Live& live);
  void Finish(const std::shared_ptr<Live>& live, const Result<void>& outcome);
  void Add(Live& live, OperationEvent event);
  void Save(Live& live);
  std::shared_ptr<Live> Find(std::string_view id) const;
  static api::Operation Snapshot(const Live& live);

  Store& store_;
  Clock& clock_;
  const OperationsOptions options_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable work_, news_;
  std::deque<Task> queue_;
  std::map<std::string, std::shared_ptr<Live>, std::less<>> live_;
  Counts counts_;
  std::int64_t busy_ = 0;
  bool stopping_ = false;
  bool joined_ = false;
  std::vector<std::thread> threads_;
};

class LiveProgress final : public Progress {
 public:
  LiveProgress(Pool& pool, Live& live) : pool_(pool), live_(live) {}
  const std::string& id() const override { return live_.operation.id; }
  void Phase(std::string_view text, std::int64_t percent) override {
    pool_.Add(live_, {.kind = "phase", .text = std::string(text), .percent = percent});
  }
  void Log(std::string_view line) override {
    pool_.Add(live_, {.kind = "log", .text = std::string(line), .percent = -1});
  }
  bool Cancelled() const override { return live_.cancelled || live_.interrupted; }

 private:
  Pool& pool_;
  Live& live_;
};

Result<std::vector<api::Operation>> Pool::Recover() {
  std::vector<api::Operation> interrupted = TRY(store_.UnfinishedOperations());
  const Error error = Interrupted();
  for (api::Operation& operation : interrupted) {
    operation.state = "Failed";
    operation.ended_time = FormatTime(clock_.Now());
    SetError(operation, error);
    const auto mark = [&]() -> Result<void> {
      TRY(store_.FailImagesOf(operation.id, error.message));
      TRY(store_.FailPromotionsOf(operation.id, error));
      return store_.SaveOperation(operation, {});
    };
    TRY(store_.Transaction(mark));
  }
  return interrupted;
}

Result<api::Operation> Pool::Start(Job job) {
  auto live = std::make_shared<Live>();
  live->job = std::move(job);
  api::Operation& operation = live->operation;
  operation.id = RandomHex(16);
  operation.kind = live->job.kind;
  operation.workspace = live->job.workspace;
  operation.state = "NotStarted";
  operation.created_time = FormatTime(clock_.Now());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return Error{.code = Code::kUnavailable,
                   .message = "the workspace service is stopping",
                   .id = "Workspace.Stopping"};
    }
    if (counts_.waiting >= options_.pending_max) {
      return Error{.code = Code::kResourceExhausted,
                   .message = std::to_string(counts_.waiting) + " operations are waiting already",
                   .id = "Operation.QueueFull",
                   .fix = "try again when some have ended"};
    }
    ++counts_.waiting;
  }
  const auto prepare = [&]() -> Result<void> {
    if (live->job.prepare) operation.resource = TRY(live->job.prepare(operation.id));
    return store_.InsertOperation(operation);
  };
  const Result<void> prepared = store_.Transaction(prepare);
  const std::lock_guard lock(mutex_);
  if (!prepared) {
    --counts_.waiting;
    return prepared.error();
  }
  live_.emplace(operation.id, live);
  queue_.push_back([this, live] { Run(live); });
  work_.notify_one();
  return operation;
}

void Pool::Later(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(work));
  work_.notify_one();
}

void Pool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Task task = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    task();
    lock.lock();
    --busy_;
    news_.notify_all();
  }
}

Result<void> Pool::Execute(Live& live) {
  LiveProgress progress(*this, live);
  const auto ending = [&live] {
    return live.cancelled ? Error{.code = Code::kUnavailable,
                                  .message = "the operation was cancelled",
                                  .id = "Operation.Cancelled"}
                          : Interrupted();
  };
  if (progress.Cancelled()) return ending();
  try {
    Result<void> outcome = live.job.run(progress);
    if (!outcome && progress.Cancelled()) return ending();
    if (!outcome) return InStateFolder(std::move(outcome).error());
    return outcome;
  } catch (const std::exception& thrown) {
    return Error{.code = Code::kInternal, .message = std::string("unexpected: ") + thrown.what()};
  }
}

void Pool::Run(const std::shared_ptr<Live>& live) {
  {
    const std::lock_guard lock(mutex_);
    --counts_.waiting;
    ++counts_.running;
    live->operation.state = "Running";
    live->saved_at = clock_.Steady();
  }
  log::Info("operation started", {{"operation", live->operation.id},
                                  {"kind", live->operation.kind},
                                  {"resource", live->operation.resource}});
  Finish(live, Execute(*live));
  live->job = {};
}

void Pool::Finish(const std::shared_ptr<Live>& live, const Result<void>& outcome) {
  Result<void> result = outcome;
  api::Operation ended;
  std::vector<OperationEvent> unsaved;
  const auto end = [&]() -> Result<void> {
    if (result && live->job.succeed) TRY(live->job.succeed());
    if (!result && live->job.fail) TRY(live->job.fail(result.error()));
    return store_.SaveOperation(ended, unsaved);
  };
  const auto prepare = [&] {
    const std::lock_guard lock(mutex_);
    ended = live->operation;
    ended.ended_time = FormatTime(clock_.Now());
    ended.state = result ? "Succeeded" : live->cancelled ? "Cancelled" : "Failed";
    if (result) ended.percent = 100;
    if (!result) SetError(ended, result.error());
    unsaved.assign(live->events.begin() + static_cast<std::ptrdiff_t>(live->saved),
                   live->events.end());
  };
  prepare();
  Result<void> written = store_.Transaction(end);
  if (!written && result) {
    result = written.error();
    prepare();
    written = store_.Transaction(end);
  }
  if (!written) {
    log::Failure("operation's end was not written",
                 {{"operation", ended.id}, {"error", written.error().message}});
  }
  log::Info("operation ended", {{"operation", ended.id},
                                {"kind", ended.kind},
                                {"state", ended.state},
                                {"error", ended.error}});
  const std::lock_guard lock(mutex_);
  live->operation = ended;
  --counts_.running;
  ++(ended.state == "Succeeded" ? counts_.succeeded
     : ended.state == "Failed"  ? counts_.failed
                                : counts_.cancelled);
  if (written) live_.erase(ended.id);
  news_.notify_all();
}

void Pool::Add(Live& live, OperationEvent event) {
  {
    const std::lock_guard lock(mutex_);
    if (live.events.size() >= kEventsMax) return;
    if (event.text.size() > kTextMax) event.text.resize(kTextMax);
    event.number = static_cast<std::int64_t>(live.events.size()) + 1;
    if (event.percent >= 0) live.operation.percent = event.percent;
    event.percent = live.operation.percent;
    if (event.kind == "phase") live.operation.phase = event.text;
    live.events.push_back(std::move(event));
    news_.notify_all();
  }
  Save(live);
}

void Pool::Save(Live& live) {
  api::Operation operation;
  std::vector<OperationEvent> unsaved;
  std::size_t saved = 0;
  {
    const std::lock_guard lock(mutex_);
    if (clock_.Steady() - live.saved_at < kSaveEvery) return;
    live.saved_at = clock_.Steady();
    operation = live.operation;
    saved = live.events.size();
    unsaved.assign(live.events.begin() + static_cast<std::ptrdiff_t>(live.saved),
                   live.events.end());
    live.saved = saved;
  }
  const Result<void> written = store_.SaveOperation(operation, unsaved);
  if (!written) {
    log::Warn("operation's events were not written",
              {{"operation", operation.id}, {"error", written.error().message}});
  }
}

std::shared_ptr<Live> Pool::Find(std::string_view id) const {
  const auto found = live_.find(id);
  return found == live_.end() ? nullptr : found->second;
}

api::Operation Pool::Snapshot(const Live& live) {
  api::Operation operation = live.operation;
  for (const OperationEvent& event : live.events) operation.log.push_back(event.text);
  return operation;
}

Result<api::Operation> Pool::Get(std::string_view id) {
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Live> live = Find(id);
    if (live) return Snapshot(*live);
  }
  return store_.GetOperation(id);
}

Result<api::Operation> Pool::Cancel(std::string_view id) {
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Live> live = Find(id);
    if (live && !HasEnded(live->operation)) {
      live->cancelled = true;
      return Snapshot(*live);
    }
  }
  const api::Operation operation = TRY(store_.GetOperation(id));
  return Error{.code = Code::kFailedPrecondition,
               .message = "operation \"" + operation.id + "\" has ended: " + operation.state,
               .id = "Operation.Ended"};
}

Result<Operations::News> Pool::Wait(std::string_view id, std::int64_t after,
                                    std::chrono::milliseconds wait) {
  {
    std::unique_lock lock(mutex_);
    const std::shared_ptr<Live> live = Find(id);
    if (live) {
      const auto seen = static_cast<std::size_t>(std::max<std::int64_t>(after, 0));
      news_.wait_for(lock, wait, [&] {
        return live->events.size() > seen || HasEnded(live->operation) || stopping_;
      });
      News news;
      news.ended = HasEnded(live->operation) || stopping_;
      for (std::size_t i = seen; i < live->events.size(); ++i) {
        news.events.push_back(live->events[i]);
      }
      return news;
    }
  }
  const api::Operation operation = TRY(store_.GetOperation(id));
  return News{TRY(store_.OperationEvents(id, after)), HasEnded(operation)};
}

Operations::Counts Pool::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Pool::Stop(std::chrono::milliseconds grace) {
  {
    std::unique_lock lock(mutex_);
    if (joined_) return;
    joined_ = true;
    stopping_ = true;
    work_.notify_all();
    news_.notify_all();
    news_.wait_for(lock, grace, [this] { return queue_.empty() && busy_ == 0; });
    for (auto& [id, live] : live_) live->interrupted = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

std::unique_ptr<Operations> Operations::Make(Store& store, Clock& clock,
                                             const OperationsOptions& options) {
  return std::make_unique<Pool>(store, clock, options);
}

}  // namespace slipway::workspace
