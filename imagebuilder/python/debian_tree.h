// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

/// Python and what it needs, in Debian's packages; `more` of the plan comes to it.
const std::vector<std::string>& BasePackages();

/// What a RUN step needs beside that.
const std::vector<std::string>& ShellPackages();

/// Unpacks the packages, whose files lie in `folder` under their digests' hex digits, into `root`
/// and makes a root file system of them: users, certificates, links. Nothing is run.
Result<void> MakeDebianTree(
    const std::vector<LockedFile>& packages,
    const std::function<Result<std::filesystem::path>(const LockedFile&)>& place_of,
    const std::filesystem::path& root, const WorkHooks& hooks);

}  // namespace slipway::imagebuilder
