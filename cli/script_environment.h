// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/context.h"

namespace slipway::cli {

struct ScriptEnvironmentRequest {
  std::filesystem::path script, conda;
  std::string model = {};  ///< name of the model that the script finds; empty: none
  std::vector<std::string> keep = {};
  bool fresh = false;
};
struct ScriptEnvironment {
  std::filesystem::path root, config;  ///< for slipway-serve
};

/// The Python environment of a dependency file, made by slipwayd in the cache folder as it makes
/// those of images, or found made; shown on the way. Errors of image.create, and of FindProgram.
Result<ScriptEnvironment> MakeScriptEnvironment(Context& context,
                                                const ScriptEnvironmentRequest& wanted);

}  // namespace slipway::cli
