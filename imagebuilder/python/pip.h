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

/// A package that was asked for and is not fetched.
struct NotFetched {
  std::string name = {}, version = {};
  std::vector<std::string> asked_by = {};  ///< packages that require it; none: the user alone
};

/// What requirements resolve to.
struct Resolved {
  std::vector<LockedFile> wheels;
  std::vector<NotFetched> not_fetched;
};

/// A pip that runs on the Python of an unpacked root, so that markers and wheel tags are those of
/// the image. It installs nothing. Not thread-safe.
struct Pip {
  std::filesystem::path root;
  const PythonPlace& python;
  std::filesystem::path wheel;  ///< pip's own wheel, run as it is
  std::filesystem::path cache, scratch;
  std::vector<std::string> environment;  ///< the user's
  const WorkHooks& hooks;

  /// Everything the requirements need, as wheels, but for what StandInFor knows and `kept` does not
  /// name: of that nothing is fetched, whoever requires it. kInvalidArgument (ids
  /// `Image.NoSuchPackage`, `Image.NoSuchVersion`, `Image.NoWheel`, `Image.Conflict`) naming the
  /// requirement, kUnavailable (id `Image.IndexUnreachable`).
  /// `source_only`: set to the requirement that an index meets with a source archive alone.
  Result<Resolved> Resolve(const std::vector<std::string>& requirements,
                           const std::vector<std::string>& options,
                           const std::vector<std::string>& kept,
                           std::string* source_only = nullptr) const;

  /// Fetches wheels into `folder` under their `file` names, digests checked.
  Result<void> Download(const std::vector<LockedFile>& wheels,
                        const std::vector<std::string>& options,
                        const std::filesystem::path& folder) const;

  Result<CommandOutcome> Run(const std::vector<std::string>& arguments) const;

  /// The same with what comes before pip's arguments: a program that uses pip, and what it wants.
  Result<CommandOutcome> Start(const std::vector<std::string>& words,
                               const std::vector<std::string>& arguments) const;
};

/// `--index-url X` and the like as words.
std::vector<std::string> IndexArguments(const std::vector<std::string>& options);

/// Why pip failed, as the user is told. `source_only`: see Pip::Resolve.
Error ExplainPipFailure(const Pip& pip, const CommandOutcome& outcome,
                        const std::vector<std::string>& options,
                        std::string* source_only = nullptr);

/// The report of `pip install --report`, of a pip whose stand-ins are in `scratch`. Source: pip,
/// "Installation Report".
Result<Resolved> ReadPipReport(std::string_view text, const std::filesystem::path& scratch);

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
