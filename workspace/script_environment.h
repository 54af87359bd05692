// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/command.h"
#include "workspace/api.h"

/// A Python environment for a script that is run without an image: resolved, remembered and laid
/// out as an image's would be.
namespace slipway::workspace {

class Workspace;

struct ScriptEnvironmentRequest {
  std::filesystem::path script;  ///< checked before it is run; it stays where it is
  std::filesystem::path conda;   ///< dependency file
  std::string model = {};        ///< name of the model that the script finds; empty: none
  std::vector<std::string> keep = {};
  bool fresh = false;  ///< resolve anew what was resolved before
};

struct ScriptEnvironment {
  std::filesystem::path root;         ///< a file tree with the Python and its packages
  std::filesystem::path config;       ///< serve.json in it
  std::string python_version;         ///< `3.11.2`
  std::vector<std::string> packages;  ///< `numpy 2.1.0`
  std::vector<std::string> provided;  ///< met by Slipway's own modules
  std::vector<api::ImageWarning> warnings;
};

/// Makes the environment below `run/environments` of the state folder, or finds it made: what a
/// dependency file resolved to stays until the file changes. Errors of image.create.
Result<ScriptEnvironment> MakeScriptEnvironment(Workspace& workspace,
                                                const ScriptEnvironmentRequest& wanted,
                                                const imagebuilder::WorkHooks& hooks);

/// The image's tree below `run/environments`, made or found made; the trees that were used last
/// stay.
Result<std::filesystem::path> LayOutTree(Workspace& workspace, const imagebuilder::Image& image);

/// An error as one piece of work of slipwayd's tells it.
std::string ProblemText(const Error& error);
/// The environment, or what it failed with, as `slipwayd environment` tells it.
std::string ScriptEnvironmentText(const Result<ScriptEnvironment>& made);

}  // namespace slipway::workspace
