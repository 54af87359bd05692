// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/file.h"
#include "base/process_stat.h"

namespace slipway {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds kKillTimeout{10'000};
constexpr std::chrono::milliseconds kPollStep{5};

// The C library's header for these declares them with C++ linkage.
int OpenPidFd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
bool SignalPidFd(int fd, int signal_number) {
  return ::syscall(SYS_pidfd_send_signal, fd, signal_number, nullptr, 0) == 0;
}

int StatusOf(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/// Takes the exit status of an ended child of ours; -1 where it is not ours.
int Reap(pid_t pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0) {
    if (errno != EINTR) return -1;
  }
  return info.si_pid == 0 ? -1 : StatusOf(info);
}

/// Whether the process has ended by `deadline`, looked at again and again: for kernels that have
/// no pidfd.
bool EndsByPolling(const ProcessId& id, SteadyTime deadline) {
  while (IsRunning(id)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollStep);
  }
  return true;
}

/// Whether the process has ended by `deadline`. Leaves a zombie of ours as it is.
bool EndsBy(const ProcessId& id, SteadyTime deadline) {
  const UniqueFd fd(OpenPidFd(id.pid));
  if (!fd) return errno == ESRCH || EndsByPolling(id, deadline);
  // The number was the process's own when opened, or it has already ended.
  if (!IsRunning(id)) return true;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    struct pollfd wait = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    const int timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
    const int ready = ::poll(&wait, 1, timeout_ms);
    if (ready > 0) return true;
    if (ready == 0 && timeout_ms == std::max<std::int64_t>(left.count(), 0)) return false;
    if (ready < 0 && errno != EINTR) return EndsByPolling(id, deadline);
  }
}

SteadyTime DeadlineIn(std::chrono::milliseconds timeout) {
  const auto longest = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(timeout, longest);
}

/// Sends the signal unless the pid belongs to another process by now.
bool Signal(const ProcessId& id, int signal_number) {
  const UniqueFd fd(OpenPidFd(id.pid));
  if (!IsRunning(id)) return true;
  if (fd) return SignalPidFd(fd.get(), signal_number) || errno == ESRCH;
  return ::kill(id.pid, signal_number) == 0 || errno == ESRCH;
}

}  // namespace

bool IsRunning(const ProcessId& id) {
  if (id.pid <= 0) return false;
  const std::optional<ProcessStat> stat = ReadProcessStat(id.pid);
  return stat && stat->start_ticks == id.start_ticks && !stat->HasEnded();
}

std::optional<int> WaitForExit(const ProcessId& id, std::chrono::milliseconds timeout) {
  if (id.pid <= 0) return -1;
  if (!EndsBy(id, DeadlineIn(timeout))) return std::nullopt;
  const std::optional<ProcessStat> stat = ReadProcessStat(id.pid);
  if (stat && stat->start_ticks != id.start_ticks) return -1;
  return Reap(id.pid);
}

Result<void> Terminate(const ProcessId& id, std::chrono::milliseconds grace) {
  if (!IsRunning(id)) {
    WaitForExit(id, std::chrono::milliseconds(0));
    return {};
  }
  const bool leads_group = ::getpgid(id.pid) == id.pid;
  if (!Signal(id, SIGTERM)) {
    return SystemError(fmt::format("cannot stop process {}", id.pid), errno);
  }
  if (!EndsBy(id, DeadlineIn(grace))) Signal(id, SIGKILL);
  if (leads_group) ::kill(-id.pid, SIGKILL);
  if (WaitForExit(id, kKillTimeout)) return {};
  return Error{.code = Code::kDeadlineExceeded,
               .message = fmt::format("process {} does not end after SIGKILL", id.pid),
               .id = "Process.Stuck"};
}

std::filesystem::path ThisProgram() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

}  // namespace slipway
