// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace slipway {

/// What /proc/PID/stat tells of a process. Source: proc(5).
struct ProcessStat {
  char state = 0;                 ///< field 3: R, S, Z, ...
  std::uint64_t start_ticks = 0;  ///< field 22
};

/// Nothing where there is no such process.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

/// The text of a stat file taken apart; the program's name in it may hold any character.
std::optional<ProcessStat> ParseProcessStat(std::string_view text);

}  // namespace slipway
