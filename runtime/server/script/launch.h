// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/server/config.h"

namespace slipway::server {

/// How the image's Python is started for a worker.
struct WorkerLaunch {
  std::vector<std::string> argv;  ///< without the worker's own arguments
  std::vector<std::string> environment;
  std::filesystem::path folder;  ///< working folder: the app root
};

/// What a worker's environment is made from.
struct WorkerSurroundings {
  std::vector<std::string> environment;  ///< `NAME=value` of this program
  std::filesystem::path model_folder = {};
  std::string service_name = {};
};

/// kNotFound (id `Python.NotFound`, `Script.NotFound`, `Script.WorkerMissing`) naming what the
/// image lacks. With a root Python is started through the image's own loader, so that its shared
/// libraries and wheels are used without a chroot.
Result<WorkerLaunch> PlanWorker(const ScriptConfig& given, const WorkerSurroundings& around);

/// `path` of the file tree at `root` with its symbolic links followed inside the tree.
/// kNotFound where it leads nowhere.
Result<std::filesystem::path> ResolveInRoot(const std::filesystem::path& root,
                                            const std::filesystem::path& path);

}  // namespace slipway::server
