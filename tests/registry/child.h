// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

namespace slipway::registry::testing {

/// Runs `body` in a process of its own and gives its pid. The body's failures of expectations
/// and its return value make up the exit status.
inline pid_t Fork(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int status = body();
  ::_exit(::testing::Test::HasFailure() ? 99 : status);
}

/// The exit status; 128 and the signal's number for one that was killed.
inline int Wait(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

inline int RunInChild(const std::function<int()>& body) { return Wait(Fork(body)); }

}  // namespace slipway::registry::testing
