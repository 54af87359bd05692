// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

/// Command lines and what they must do, in files `*.test`.
///
/// ```
/// # a file that is no model
/// write notes.onnx these are notes
/// $ slipway model check notes.onnx
/// ---- 2
/// 2> slipway: model check: <any>notes.onnx<any>
/// 2> cause: Model.Invalid
/// ```
/// A step ends at an empty line. Lines after the status are standard output, whole: `<any>` stands
/// for any text in a line, `...` for any lines. `2> ` lines are found on standard error in this
/// order, among others. `${NAME}` is a variable. Files are made in the script's folder:
/// `write FILE TEXT`, `copy FILE SOURCE [BYTES]`, `replace FILE FROM TO` (of the same length),
/// `poke FILE OFFSET HEX`.
namespace slipway::testing {

struct CliStep {
  int line = 0;
  std::vector<std::string> setup;  ///< a line of setup, split into words; or
  std::vector<std::string> argv;   ///< a command, and what it must do
  int status = 0;
  std::vector<std::string> out, err;
};

/// kInvalidArgument naming the line that cannot be read.
Result<std::vector<CliStep>> ParseCliScript(const std::string& text);

/// Words of a line as a shell would see them: quotes, no expansion.
Result<std::vector<std::string>> SplitWords(const std::string& line);

struct CliSurroundings {
  std::filesystem::path program;  ///< stands for the word `slipway`
  std::filesystem::path folder;   ///< where commands run
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> variables;
};

/// Runs one step. kFailedPrecondition telling what was wanted and what came.
Result<void> RunCliStep(const CliStep& step, const CliSurroundings& surroundings);

struct CliOutcome {
  int status = 0;  ///< 128 + signal if killed
  std::string out, err;
};
Result<CliOutcome> RunCli(const std::vector<std::string>& argv,
                          const CliSurroundings& surroundings);

}  // namespace slipway::testing
