// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway {

/// A descriptor `from` of the caller that a child has as number `to`, at most 15.
struct GivenFd {
  int from = -1;
  int to = -1;
};

/// What to start. Never a shell: `argv[0]` is a path, seen from the caller's folder, or looked up
/// in the caller's PATH.
struct ProcessSpec {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< `NAME=value`; exactly these
  std::filesystem::path folder = {};     ///< working folder; empty: the caller's
  std::filesystem::path log = {};        ///< stdout and stderr are appended here; empty: /dev/null
  std::vector<int> keep_fds = {};        ///< stay open in the child under the same number
  std::vector<GivenFd> give_fds = {};    ///< open in the child under another number
  bool dies_with_thread = false;         ///< SIGKILL when the thread that called Spawn ends
};

/// A process of this machine that can be found again by another program: the pid alone could
/// have been given to a stranger meanwhile, pid and start time could not.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
  bool operator==(const ProcessId&) const = default;
};

/// Starts a detached process in a session of its own; it outlives the caller.
/// kNotFound if the program does not exist, kPermissionDenied if it may not be run.
Result<ProcessId> Spawn(const ProcessSpec& spec);

/// Whether that very process still runs, any thread of it (a zombie does not).
bool IsRunning(const ProcessId& id);

/// Waits up to `timeout` for the process to end. The exit status where it is a child of ours
/// (128 + signal if killed), -1 where it is not; nothing if it still runs.
std::optional<int> WaitForExit(const ProcessId& id, std::chrono::milliseconds timeout);

/// SIGTERM to the process; when it has ended or after `grace`, SIGKILL to its whole process group.
/// Returns when it is gone; kDeadlineExceeded if it does not go.
Result<void> Terminate(const ProcessId& id, std::chrono::milliseconds grace);

/// Path of the program that is running.
std::filesystem::path ThisProgram();

}  // namespace slipway
