// SPDX-License-Identifier: Apache-2.0
#include "base/temporary_file.h"

#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"

namespace slipway {

namespace fs = std::filesystem;

Result<void> RemoveTemporaryFiles(const fs::path& folder) {
  std::vector<fs::path> left;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const bool named = at->path().filename().string().starts_with(kTemporaryPrefix);
    std::error_code unseen;
    if (named && at->symlink_status(unseen).type() == fs::file_type::regular) {
      left.push_back(at->path());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return SystemError("cannot list " + folder.string(), error.value());
  }
  for (const fs::path& file : left) TRY(RemoveTree(file));
  return {};
}

}  // namespace slipway
