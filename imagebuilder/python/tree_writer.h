// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Puts files of packages into a folder that is to become a layer, never through a symbolic link.
/// What is there already is replaced. Paths are relative to the folder; kDataLoss (id
/// `Image.Package`) for one that is not plain. Not thread-safe.
class TreeWriter {
 public:
  static Result<std::unique_ptr<TreeWriter>> Open(const std::filesystem::path& root);

  using Pull = std::function<Result<std::span<const std::byte>>()>;
  /// Content until `pull` gives nothing. Only permission bits of `mode` count.
  Result<void> AddFile(std::string_view path, unsigned mode, const Pull& pull);
  Result<void> AddText(std::string_view path, unsigned mode, std::string_view text);
  Result<void> AddFolder(std::string_view path, unsigned mode);
  /// An absolute target is written as a relative one, so that it means the same in the folder.
  Result<void> AddSymlink(std::string_view path, std::string_view target);
  /// A second name for a file of the tree.
  Result<void> AddHardlink(std::string_view path, std::string_view target);

 private:
  struct Place;
  TreeWriter(std::filesystem::path root, UniqueFd folder)
      : path_(std::move(root)), root_(std::move(folder)) {}
  Result<Place> Find(std::string_view path, bool make);

  std::filesystem::path path_;
  UniqueFd root_;
};

/// The files below `root` as entries of a layer, with their digests, set-id bits dropped, but for
/// those whose path (`/usr/x`) is left out, with all that is below. kInvalidArgument for what no
/// layer can hold.
Result<std::vector<FileEntry>> ListTree(const std::filesystem::path& root,
                                        const std::function<bool()>& cancelled,
                                        const std::function<bool(std::string_view)>& left_out = {});

}  // namespace slipway::imagebuilder
