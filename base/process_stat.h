// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace slipway {

/// What /proc/PID/stat tells of a process. Source: proc(5).
struct ProcessStat {
  char state = 0;                 ///< field 3, of its first thread: R, S, Z, ...
  std::int64_t threads = 0;       ///< field 20; the first one counts until the process is reaped
  std::uint64_t start_ticks = 0;  ///< field 22

  /// Whether its last thread has ended: the first one may have done so before others.
  bool HasEnded() const { return (state == 'Z' || state == 'X') && threads <= 1; }
};

/// Nothing where there is no such process.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

/// The text of a stat file taken apart; the program's name in it may hold any character.
std::optional<ProcessStat> ParseProcessStat(std::string_view text);

}  // namespace slipway
