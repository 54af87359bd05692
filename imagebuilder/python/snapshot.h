// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// What a tree looked like at a moment.
struct Snapshot {
  struct Entry {
    std::uint32_t mode = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0, changed_ns = 0;
    bool operator==(const Entry&) const = default;
  };
  std::map<std::string, Entry> entries;  ///< by path below the root
};
Result<Snapshot> TakeSnapshot(const std::filesystem::path& root);

/// What became of the tree since: entries of a layer, removals too. Sockets, pipes and devices are
/// left out, as are the folders that belong to the container rather than to the image.
Result<std::vector<FileEntry>> ChangesSince(const Snapshot& before,
                                            const std::filesystem::path& root,
                                            const std::function<bool()>& cancelled);

}  // namespace slipway::imagebuilder
