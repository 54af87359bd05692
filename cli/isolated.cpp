// SPDX-License-Identifier: Apache-2.0
#include "cli/isolated.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/file.h"

namespace slipway::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  pid_t pid = 0;
  std::size_t index = 0;
  UniqueFd pipe;
  Clock::time_point deadline;
  std::string text;
  bool timed_out = false;
};

Result<Child> Start(std::size_t index, const IsolatedOptions& options,
                    const std::function<std::string(std::size_t)>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("pipe", errno);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError("fork", errno);
  if (pid == 0) {
    const std::string text = work(index);
    const auto written = WriteAll(write_end.get(), std::as_bytes(std::span(text)));
    ::_exit(written ? 0 : 1);
  }
  return Child{.pid = pid,
               .index = index,
               .pipe = std::move(read_end),
               .deadline = Clock::now() + options.timeout,
               .text = {}};
}

Result<std::string> Outcome(Child child) {
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) continue;
  if (child.timed_out) {
    return Error{.code = Code::kDeadlineExceeded,
                 .message = "took too long and was killed",
                 .id = "Process.TimedOut"};
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(child.text);
  const std::string how = WIFSIGNALED(status)
                              ? std::string("SIG") + sigabbrev_np(WTERMSIG(status))
                              : "exit status " + std::to_string(WEXITSTATUS(status));
  return Error{.code = Code::kInternal, .message = "crashed: " + how, .id = "Process.Crashed"};
}

/// Waits for output of the children and reads it; moves those that are done to `ended`.
void Pump(std::vector<Child>& children, std::vector<Child>& ended) {
  std::vector<pollfd> polls;
  for (const Child& child : children) {
    polls.push_back({.fd = child.pipe.get(), .events = POLLIN, .revents = 0});
  }
  constexpr int kTickMs = 100;
  ::poll(polls.data(), polls.size(), kTickMs);
  std::vector<Child> still;
  for (std::size_t i = 0; i < children.size(); ++i) {
    Child& child = children[i];
    if (Clock::now() >= child.deadline && !child.timed_out) {
      child.timed_out = true;
      ::kill(child.pid, SIGKILL);
    }
    bool open = true;
    if (polls[i].revents != 0) {
      std::array<char, 1 << 16> buffer;
      const ssize_t count = ::read(child.pipe.get(), buffer.data(), buffer.size());
      if (count > 0) child.text.append(buffer.data(), static_cast<std::size_t>(count));
      open = count > 0 || (count < 0 && errno == EINTR);
    }
    (open ? still : ended).push_back(std::move(child));
  }
  children = std::move(still);
}

}  // namespace

Result<void> RunIsolated(
    std::size_t count, const IsolatedOptions& options,
    const std::function<std::string(std::size_t)>& work,
    const std::function<Result<void>(std::size_t, Result<std::string>)>& done) {
  std::vector<Child> running;
  std::map<std::size_t, Result<std::string>> waiting;
  std::size_t started = 0, reported = 0;
  std::optional<Error> stop;
  while (!running.empty() || (started < count && !stop)) {
    while (!stop && started < count && std::cmp_less(running.size(), options.jobs)) {
      auto child = Start(started, options, work);
      if (child) {
        running.push_back(*std::move(child));
        ++started;
      } else {
        stop = child.error();
      }
    }
    std::vector<Child> ended;
    if (!running.empty()) Pump(running, ended);
    for (Child& child : ended) {
      const std::size_t index = child.index;
      waiting.emplace(index, Outcome(std::move(child)));
    }
    for (auto next = waiting.find(reported); next != waiting.end() && !stop;
         next = waiting.find(++reported)) {
      if (auto told = done(reported, std::move(next->second)); !told) stop = told.error();
      waiting.erase(next);
    }
  }
  if (stop) return *std::move(stop);
  return {};
}

}  // namespace slipway::cli
