// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/result.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/environment_plan.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

struct Image;
struct Pip;

/// A base that was given, unpacked: what Debian's packages are otherwise.
struct GivenBase {
  std::string digest;                     ///< of its manifest or tree
  std::filesystem::path root;             ///< unpacked
  std::vector<std::string> path_folders;  ///< its PATH
};

/// Resolves and fetches what Python environments are made of, in a folder of its own and without
/// root. Packages are kept as blobs; unpacked trees of Debian packages are kept for the next
/// build. Thread-safe: one thread at a time works, others wait.
class PythonTools {
 public:
  struct Options {
    std::filesystem::path folder;                      ///< stays between builds
    std::vector<std::string> environment;              ///< of the user: proxies, pip's indexes
    std::int64_t cache_bytes = std::int64_t{4} << 30;  ///< of pip's downloads that are kept
    std::filesystem::path runtime = {};                ///< what the module onnxruntime loads
  };
  PythonTools(Options options, BlobStore& blobs) : options_(std::move(options)), blobs_(blobs) {}

  /// What the plan resolves to today. Errors of Apt and Pip.
  Result<PythonLock> Resolve(const EnvironmentPlan& plan, const std::optional<GivenBase>& base,
                             const std::filesystem::path& scratch, const WorkHooks& hooks);

  /// The tree of the lock's Debian packages, fetched and unpacked where it is not there. It stays
  /// until other trees take its place; call again rather than keep the path.
  Result<std::filesystem::path> DebianTree(const PythonLock& lock,
                                           const std::filesystem::path& scratch,
                                           const WorkHooks& hooks);

  /// Installs the lock's wheels into `tree` with the Python of `root`, compiled.
  Result<void> InstallWheels(const PythonLock& lock, const std::filesystem::path& root,
                             const std::filesystem::path& tree,
                             const std::filesystem::path& scratch, const WorkHooks& hooks);

 private:
  Result<std::filesystem::path> TreeOf(const std::vector<LockedFile>& packages,
                                       const std::filesystem::path& scratch,
                                       const WorkHooks& hooks);
  Result<void> FetchDebian(const std::vector<LockedFile>& packages,
                           const std::filesystem::path& scratch, const WorkHooks& hooks);
  Result<void> FetchWheels(std::vector<LockedFile>& wheels,
                           const std::vector<std::string>& pip_options,
                           const std::filesystem::path& root, const PythonPlace& python,
                           const std::filesystem::path& scratch, const WorkHooks& hooks);
  /// What the plan's requirements need, in `found`; wheels are built where there is only source.
  Result<void> ResolveWheels(const EnvironmentPlan& plan, const std::filesystem::path& root,
                             const std::filesystem::path& scratch, const WorkHooks& hooks,
                             PythonLock& found);
  /// The newest source archive that meets a requirement, and what building it needs, in the store.
  Result<BuiltWheel> FindSource(const Pip& pip, const std::string& requirement,
                                const std::vector<std::string>& options);
  /// Builds a wheel of what is in the store, puts it there, and says where else it is.
  Result<std::filesystem::path> BuildSource(const Pip& pip, BuiltWheel& built);
  /// The wheels of a lock that were built and are not in the store, built again.
  Result<void> BuildMissing(const PythonLock& lock, const std::filesystem::path& root,
                            const std::filesystem::path& scratch, const WorkHooks& hooks);
  Result<Pip> MakePip(const std::filesystem::path& root, const PythonPlace& python,
                      const std::filesystem::path& scratch, const WorkHooks& hooks);
  Result<std::filesystem::path> PipWheel(const std::filesystem::path& scratch,
                                         const WorkHooks& hooks);
  Result<void> DropOldTrees(const std::string& newest);
  void TrimCache(const WorkHooks& hooks) const;

  const Options options_;
  BlobStore& blobs_;
  std::mutex mutex_;  // guards the folder
};

}  // namespace slipway::imagebuilder
