// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "base/blob_store.h"
#include "base/file.h"
#include "base/result.h"
#include "registry/registry.h"

namespace slipway::registry {

/// A folder in which blobs stand under the paths of a model's files, as hard links where the
/// file system allows it and as copies elsewhere. Goes with the object.
class FolderView {
 public:
  /// `parent` is created where needed. The paths must have passed CheckPath.
  static Result<std::unique_ptr<FolderView>> Make(const std::filesystem::path& parent,
                                                  std::span<const ModelFile> files,
                                                  const BlobStore& blobs);
  ~FolderView();
  FolderView(const FolderView&) = delete;
  FolderView& operator=(const FolderView&) = delete;
  /// Without symbolic links.
  const std::filesystem::path& path() const { return path_; }

 private:
  FolderView(std::filesystem::path path, UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  UniqueFd lock_;  ///< locked for as long as the maker lives
};

/// Removes views under `parent` whose makers have died.
void RemoveAbandonedViews(const std::filesystem::path& parent);

}  // namespace slipway::registry
