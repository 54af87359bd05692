// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

/// A pip that runs on the Python of an unpacked root, so that markers and wheel tags are those of
/// the image. It installs nothing. Not thread-safe.
struct Pip {
  std::filesystem::path root;
  const PythonPlace& python;
  std::filesystem::path wheel;  ///< pip's own wheel, run as it is
  std::filesystem::path cache, scratch;
  std::vector<std::string> environment;  ///< the user's
  const WorkHooks& hooks;

  /// Everything the requirements need, as wheels. kInvalidArgument (ids `Image.NoSuchPackage`,
  /// `Image.NoSuchVersion`, `Image.NoWheel`, `Image.Conflict`) naming the requirement,
  /// kUnavailable (id `Image.IndexUnreachable`).
  Result<std::vector<LockedFile>> Resolve(const std::vector<std::string>& requirements,
                                          const std::vector<std::string>& options) const;

  /// Fetches wheels into `folder` under their `file` names, digests checked.
  Result<void> Download(const std::vector<LockedFile>& wheels,
                        const std::vector<std::string>& options,
                        const std::filesystem::path& folder) const;

  Result<CommandOutcome> Run(const std::vector<std::string>& arguments) const;
};

/// The wheels in the report of `pip install --report`. Source: pip, "Installation Report".
Result<std::vector<LockedFile>> ReadPipReport(std::string_view text);

/// What pip's output says went wrong.
struct PipFailure {
  enum class Kind : unsigned char { kOther, kUnreachable, kDenied, kNotFound, kConflict, kNoWheel };
  Kind kind = Kind::kOther;
  std::string requirement;         ///< kNotFound: which
  std::vector<std::string> found;  ///< kNotFound: versions that have a wheel
  std::string detail;              ///< the line that says it best
};
PipFailure ReadPipFailure(std::string_view output);

}  // namespace slipway::imagebuilder
