// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/script/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/process_stat.h"
#include "base/text.h"

namespace slipway::server {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kSocketNumber = 3;
constexpr milliseconds kEndWait{2000}, kPollStep{100};
constexpr int kSignalBase = 128;

Result<void> MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  read_end = UniqueFd(ends[0]);
  write_end = UniqueFd(ends[1]);
  if (::fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0) return {};
  return SystemError("cannot make a pipe", errno);
}

std::string EndingText(int status) {
  if (status < 0) return "its process has gone";
  if (status <= kSignalBase) return fmt::format("exit status {}", status);
  const int signal_number = status - kSignalBase;
  const char* name = ::sigdescr_np(signal_number);
  return fmt::format("signal {} ({})", signal_number, name == nullptr ? "?" : name);
}

Result<ScriptFacts> ReadFacts(const std::string& text) {
  const Json json = TRY(ParseJson(text));
  ScriptFacts facts;
  facts.python = TRY(GetStringOr(json, "python", ""));
  facts.raw = TRY(GetBoolOr(json, "raw", false));
  if (const auto swagger = json.find("swagger"); swagger != json.end() && swagger->is_object()) {
    for (const auto& [version, document] : swagger->items()) {
      if (document.is_string()) facts.swagger[version] = document.get<std::string>();
    }
  }
  return facts;
}

/// The first names of a listing of the model folder, or why there is none.
std::string ModelFilesText(const Json& json) {
  constexpr std::size_t kNamesMax = 8;
  const auto list = json.find("model_files");
  if (list == json.end() || !list->is_array()) return {};
  std::vector<std::string> names;
  for (const Json& line : *list) {
    if (!line.is_string()) continue;
    if (names.size() == kNamesMax) {
      names.emplace_back("...");
      break;
    }
    names.emplace_back(Trim(line.get_ref<const std::string&>()));
  }
  if (names.size() == 1 && !names[0].ends_with('/')) return names[0];
  return names.empty() ? "" : "AZUREML_MODEL_DIR holds: " + Join(names, " ");
}

/// What the script's own error says; where init() failed, with what the model folder holds.
Error ReadFailure(const std::string& text) {
  Error error{.code = Code::kFailedPrecondition,
              .message = "the scoring script cannot serve",
              .id = "Script.InitFailed"};
  const auto json = ParseJson(text);
  if (!json) return error;
  if (auto message = GetString(*json, "message")) error.message = *std::move(message);
  if (auto cause = GetString(*json, "cause")) error.id = *std::move(cause);
  if (auto fix = GetString(*json, "fix")) error.fix = *std::move(fix);
  const std::string files = ModelFilesText(*json);
  if (error.id == "Script.InitFailed" && !files.empty()) {
    error.fix += "; " + files;
  }
  return error;
}

}  // namespace

ScriptWorker::ScriptWorker(UniqueFd socket, UniqueFd out, UniqueFd err, const LineSink& sink)
    : channel_(std::move(socket)), output_(std::move(out), std::move(err), sink) {}

Result<std::shared_ptr<ScriptWorker>> ScriptWorker::Connect(const LineSink& sink,
                                                            WorkerEnds& ends) {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return SystemError("cannot make a socket for a worker", errno);
  }
  UniqueFd own(pair[0]), out, err;
  ends.socket = UniqueFd(pair[1]);
  TRY(MakePipe(out, ends.out));
  TRY(MakePipe(err, ends.err));
  return std::shared_ptr<ScriptWorker>(
      new ScriptWorker(std::move(own), std::move(out), std::move(err), sink));
}

Result<std::shared_ptr<ScriptWorker>> ScriptWorker::Prepare(const LineSink& sink,
                                                            WorkerEnds& ends) {
  return Connect(sink, ends);
}

Result<std::shared_ptr<ScriptWorker>> ScriptWorker::Start(const WorkerLaunch& launch, bool preload,
                                                          const LineSink& sink) {
  WorkerEnds ends;
  auto worker = TRY(Connect(sink, ends));
  ProcessSpec spec{.argv = launch.argv, .environment = launch.environment};
  if (preload) spec.argv.emplace_back("--preload");
  spec.argv.push_back(std::to_string(kSocketNumber));
  spec.folder = launch.folder;
  spec.give_fds = {{ends.out.get(), STDOUT_FILENO},
                   {ends.err.get(), STDERR_FILENO},
                   {ends.socket.get(), kSocketNumber}};
  spec.dies_with_thread = true;
  worker->id_ = TRY(Spawn(spec));
  worker->pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, worker->id_.pid, 0)));
  return worker;
}

Result<void> ScriptWorker::Become(pid_t pid) {
  const auto stat = ReadProcessStat(pid);
  if (!stat) {
    return Error{.code = Code::kUnavailable,
                 .message = "a forked worker has ended at once",
                 .id = "Script.WorkerDied"};
  }
  id_ = {.pid = pid, .start_ticks = stat->start_ticks};
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  baseline_bytes_ = ResidentBytes();
  return {};
}

bool ScriptWorker::HasEnded() {
  if (ended_) return true;
  if (pidfd_ ? !AwaitFd(pidfd_.get(), POLLIN, Steady::now()) : IsRunning(id_)) return false;
  const std::lock_guard lock(mutex_);
  // What the process has started must not outlive it; until it is reaped its number is its own.
  ::kill(-id_.pid, SIGKILL);
  status_ = WaitForExit(id_, milliseconds(0)).value_or(-1);
  ended_ = true;
  changed_.notify_all();
  return true;
}

/// Waits for output, the process's end, `wake` or (where asked) an answer, and passes output on.
void ScriptWorker::PollOnce(int timeout_ms, int wake, bool with_socket) {
  const int none = -1;
  std::array<struct pollfd, 5> fds = {{
      {.fd = pidfd_ ? pidfd_.get() : none, .events = POLLIN, .revents = 0},
      {.fd = output_.out_fd(), .events = POLLIN, .revents = 0},
      {.fd = output_.err_fd(), .events = POLLIN, .revents = 0},
      {.fd = wake, .events = POLLIN, .revents = 0},
      {.fd = with_socket ? channel_.fd() : none, .events = POLLIN, .revents = 0},
  }};
  ::poll(fds.data(), fds.size(), timeout_ms);
  output_.Pump();
}

Result<ScriptFacts> ScriptWorker::AwaitReady(Time deadline, int wake) {
  while (!channel_.HasInput()) {
    if (AwaitFd(wake, POLLIN, Steady::now())) {
      return Error{
          .code = Code::kUnavailable, .message = "the server is stopping", .id = "Script.Stopped"};
    }
    if (Steady::now() >= deadline) {
      Error late{.code = Code::kDeadlineExceeded,
                 .message = "init() did not end within WORKER_TIMEOUT",
                 .id = "Script.InitTimeout",
                 .fix = "set WORKER_TIMEOUT to more seconds"};
      Kill(late);
      return late;
    }
    PollOnce(static_cast<int>(kPollStep.count()), wake, true);
  }
  auto frame = channel_.Receive(deadline);
  output_.EndRequest();
  if (frame && frame->kind == FrameKind::kReady) {
    baseline_bytes_ = ResidentBytes();
    return ReadFacts(frame->body);
  }
  if (frame && frame->kind == FrameKind::kFailed) return ReadFailure(frame->body);
  AwaitEnd(Steady::now() + kEndWait, -1);
  const std::string how = ending();
  return Error{.code = Code::kFailedPrecondition,
               .message = fmt::format("the scoring process ended before init() was done ({})",
                                      how.empty() ? "it sent no answer" : how),
               .id = "Script.InitFailed",
               .fix = "see its last lines in the log"};
}

bool ScriptWorker::AwaitEnd(Time deadline, int wake) {
  while (!HasEnded()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Steady::now());
    if (left.count() <= 0 || AwaitFd(wake, POLLIN, Steady::now())) return false;
    PollOnce(static_cast<int>(std::min(left, kPollStep).count()), wake, false);
  }
  output_.EndRequest();
  return true;
}

void ScriptWorker::Stop(milliseconds grace) {
  retired_ = true;
  channel_.ShutDown();
  if (AwaitEnd(Steady::now() + grace, -1)) return;
  Kill({.code = Code::kUnavailable, .message = "the server is stopping", .id = "Script.Stopped"});
  AwaitEnd(Steady::now() + std::chrono::seconds(10), -1);
}

void ScriptWorker::Kill(Error reason) {
  retired_ = true;
  const std::lock_guard lock(mutex_);
  if (!reason_) reason_ = std::move(reason);
  if (ended_ || id_.pid <= 0) return;
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  ::kill(-id_.pid, SIGKILL);
}

std::string ScriptWorker::ending() const {
  const std::lock_guard lock(mutex_);
  return status_ ? EndingText(*status_) : std::string();
}

std::int64_t ScriptWorker::ResidentBytes() const {
  const auto text = ReadFile(fmt::format("/proc/{}/statm", id_.pid), 4096);
  if (!text) return 0;
  const std::vector<std::string> words = Split(*text, ' ');
  std::int64_t pages = 0;
  if (words.size() > 1) {
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), pages);
  }
  return pages * sysconf(_SC_PAGESIZE);
}

Result<ScriptReply> ScriptWorker::Exchange(const ScriptRequest& request, Time deadline) {
  TRY(channel_.Send(FrameKind::kRequest, EncodeRequestHead(request), request.body, deadline));
  auto frame = TRY(channel_.Receive(deadline));
  if (frame.kind != FrameKind::kReply) {
    return Error{.code = Code::kDataLoss,
                 .message = "a frame of the wrong kind came",
                 .id = "Script.ProtocolViolated"};
  }
  ScriptReply reply = TRY(DecodeReplyHead(frame.head));
  reply.body = std::move(frame.body);
  return reply;
}

/// The error of a request whose worker has ended or is to be ended: the reason it was killed for,
/// or how it ended.
Error ScriptWorker::WhyEnded(Error error) {
  std::unique_lock lock(mutex_);
  if (error.id == "Script.WorkerDied") {
    changed_.wait_for(lock, kEndWait, [this] { return status_.has_value(); });
  }
  if (reason_) return *reason_;
  if (error.id == "Script.WorkerDied" && status_) {
    error.message =
        fmt::format("the scoring process ended ({}) before it had answered", EndingText(*status_));
    error.fix = "see its last lines in the log";
  }
  return error;
}

Result<ScriptReply> ScriptWorker::Ask(const ScriptRequest& request, milliseconds timeout) {
  output_.BeginRequest(request.request_id);
  auto reply = channel_.HasInput()
                   ? Result<ScriptReply>(Error{.code = Code::kUnavailable,
                                               .message = "the scoring process has ended",
                                               .id = "Script.WorkerGone"})
                   : Exchange(request, Steady::now() + timeout);
  if (reply) {
    has_answered_ = true;
    output_.EndRequest();
    return reply;
  }
  Error error = std::move(reply).error();
  if (error.code == Code::kDeadlineExceeded) {
    error.message = fmt::format("Scoring timeout after {} ms", timeout.count());
    error.id = "Scoring.Timeout";
    Kill(error);
    return error;
  }
  if (error.id == "Script.WorkerGone") {
    Kill(error);
    return error;
  }
  error = WhyEnded(std::move(error));
  if (error.id == "Script.ProtocolViolated") {
    error.message = "the scoring process's answer cannot be taken: " + error.message;
  }
  Kill(error);
  return error;
}

Result<std::shared_ptr<ScriptWorker>> ScriptWorker::Fork(const LineSink& sink, Time deadline) {
  WorkerEnds ends;
  auto worker = TRY(Prepare(sink, ends));
  TRY(channel_.Send(FrameKind::kFork, {}, {}, deadline));
  const std::array<int, 3> fds = {ends.socket.get(), ends.out.get(), ends.err.get()};
  TRY(channel_.SendDescriptors("cannot hand over a socket", fds.data(), fds.size()));
  const auto frame = TRY(channel_.Receive(deadline));
  const Json json = TRY(ParseJson(frame.body));
  const std::int64_t pid = TRY(GetInt(json, "pid"));
  TRY(worker->Become(static_cast<pid_t>(pid)));
  return worker;
}

}  // namespace slipway::server
