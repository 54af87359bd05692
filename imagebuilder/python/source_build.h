// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"
#include "imagebuilder/python/pip.h"

namespace slipway::imagebuilder {

/// A source archive, and the requirements that building it has.
struct SourceArchive {
  LockedFile file = {};
  std::vector<std::string> needs = {};
};

/// Fetches a source archive into `folder` with pip's session: the newest that meets a requirement,
/// or of `NAME @ URL#sha256=…`. Nothing of it is run. The errors of Pip::Resolve.
Result<SourceArchive> FetchSource(const Pip& pip, const std::string& requirement,
                                  const std::vector<std::string>& options,
                                  const std::filesystem::path& folder);

/// What a wheel is built with.
struct SourceBuild {
  std::filesystem::path root;  ///< of a system with this Python; it is copied
  const PythonPlace& python;
  std::filesystem::path pip;                 ///< pip's own wheel
  std::string name, version;                 ///< for messages
  std::filesystem::path source;              ///< the archive, under its own name
  std::vector<std::filesystem::path> needs;  ///< wheels, under their own names
  std::filesystem::path scratch;
};

/// Builds a wheel in a container without a network, of a fixed time, and says where it is: the same
/// inputs give the same bytes as far as the build backend lets them. kInvalidArgument (id
/// `Image.NoWheel`) for what is no pure Python or cannot be built so, with the line that says why,
/// and where the machine allows no container.
Result<std::filesystem::path> BuildPureWheel(const SourceBuild& build, const WorkHooks& hooks);

}  // namespace slipway::imagebuilder
