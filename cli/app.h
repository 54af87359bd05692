// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/settings.h"

namespace slipway::cli {

/// A command in the parser, ready to run once the parser has parsed it.
struct BoundCommand {
  Command command;
  CLI::App* app = nullptr;
  Body body;
};

/// Adds every command of the table to the parser, groups (`model`) as needed. The options that
/// all commands have are written to `globals`, which must live as long as the parser.
std::vector<BoundCommand> AddCommands(CLI::App& root, Globals& globals);

/// Runs the command line; says the exit status. Errors are printed: `slipway: WHAT: WHY`, then
/// `cause: CODE` and `fix: HINT`.
int Main(int argc, const char* const* argv, Context& context);

/// The one of `known` that a typing error would most likely have meant; empty if none is near.
std::string NearestOf(std::string_view word, const std::vector<std::string>& known);

}  // namespace slipway::cli
