// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/command_line.h"
#include "base/result.h"
#include "base/unit.h"

namespace slipway::cli {

class Context;

/// What a command does once its arguments are parsed.
using Body = std::function<Result<void>(Context&)>;

/// A command of `slipway`: the file `commands/<noun>_<verb>.cpp`.
struct Command {
  std::string_view path;     ///< `model register`
  std::string_view summary;  ///< one line, shown in the list of commands
  std::string_view example;  ///< shown by `--help`
  /// Declares options and arguments; their values live in what the Body captures.
  Body (*bind)(Options& options) = nullptr;
};
std::span<const Unit<Command>> commands_table();

}  // namespace slipway::cli
