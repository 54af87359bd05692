// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

/// An input or output of a model: its name and its type, such as `tensor(float)`.
struct PreflightPort {
  std::string name, type;
};
struct PreflightModel {
  std::string name;
  std::int64_t version = 0;
  std::vector<PreflightPort> inputs = {}, outputs = {};  ///< empty: not known
};

/// What a scoring script is checked against.
struct PreflightInput {
  std::string script;  ///< its text
  std::vector<PreflightModel> models = {};
  std::vector<std::string> requirements = {};  ///< names of what is installed
  std::vector<std::string> dependencies = {};  ///< paths of what lies beside the script
};

/// A fault of a script. `code` is stable, `Script.…`; lines count from 1, columns from 0.
struct Finding {
  std::string code, message, fix;
  bool error = false;  ///< it cannot work; otherwise it may surprise
  std::int64_t line = 0, column = 0;
};

/// Names an input: the same text, the same findings.
std::string PreflightKey(const PreflightInput& input, const PythonPlace& python);

/// Parses the script with the image's own Python, in `root`, and says what is wrong with it; the
/// script is not run. `checker` is the folder of the checking program. kInternal (id
/// `Image.Preflight`) where that fails.
Result<std::string> RunPreflight(const PreflightInput& input, const std::filesystem::path& root,
                                 const PythonPlace& python, const std::filesystem::path& checker,
                                 const std::filesystem::path& scratch, const WorkHooks& hooks);

/// What the checking program printed, by line. kInternal (id `Image.Preflight`).
Result<std::vector<Finding>> ReadFindings(std::string_view text);

}  // namespace slipway::imagebuilder
