// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// What long work of a build tells and asks.
struct WorkHooks {
  std::function<void(std::string_view)> say = {};
  std::function<bool()> cancelled = {};
  bool IsCancelled() const { return cancelled && cancelled(); }
  void Say(std::string_view line) const {
    if (say) say(line);
  }
};

struct CommandSpec {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::filesystem::path scratch;  ///< working folder; the output is kept there meanwhile
  std::chrono::seconds timeout{2400};
};

struct CommandOutcome {
  int status = 0;
  std::string output;  ///< standard output and errors, the last part of it
};

/// Runs a program to its end. kUnavailable (id `Image.Cancelled`), kDeadlineExceeded (id
/// `Image.TimedOut`); then the program and its children are gone. A failing status is a value.
Result<CommandOutcome> RunCommand(const CommandSpec& spec, const WorkHooks& hooks);

/// The variables of `environment` (`NAME=value`) that programs which fetch need: proxies,
/// certificates, indexes, HOME.
std::vector<std::string> FetchEnvironment(const std::vector<std::string>& environment);

}  // namespace slipway::imagebuilder
