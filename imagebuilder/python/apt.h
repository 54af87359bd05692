// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

/// apt with a state of its own: the sources, keys and proxies of the machine, nothing of what is
/// installed there, no root, signatures checked. Not thread-safe.
class Apt {
 public:
  /// `folder` holds lists and configuration and stays; `scratch` is for the moment.
  Apt(std::filesystem::path folder, std::filesystem::path scratch,
      std::vector<std::string> environment, const WorkHooks& hooks)
      : folder_(std::move(folder)),
        scratch_(std::move(scratch)),
        environment_(std::move(environment)),
        hooks_(hooks) {}

  /// The packages with all they depend on, but for what only installing needs. kUnavailable (ids
  /// `Image.AptMissing`, `Image.AptUnreachable`), kInvalidArgument (ids `Image.NoSuchPackage`,
  /// `Image.Conflict`) naming the package.
  Result<std::vector<LockedFile>> Resolve(const std::vector<std::string>& packages);

  /// Fetches files into `folder` under their `file` names, digests checked.
  Result<void> Download(const std::vector<LockedFile>& files, const std::filesystem::path& folder);

 private:
  Result<void> Prepare();
  Result<void> Update();
  Result<CommandOutcome> Run(std::vector<std::string> argv);

  std::filesystem::path folder_, scratch_;
  std::vector<std::string> environment_;
  const WorkHooks& hooks_;
  bool prepared_ = false;
};

/// One line of `apt-get --print-uris`; nothing for other lines.
std::vector<LockedFile> ReadUris(std::string_view output);

}  // namespace slipway::imagebuilder
