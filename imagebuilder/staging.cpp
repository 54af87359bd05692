// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <cerrno>

#include "base/file.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

Error Exists(const fs::path& destination) {
  return {.code = Code::kAlreadyExists,
          .message = fmt::format("{} already exists", destination.string()),
          .id = "Image.DestinationExists",
          .fix = "choose another name, or remove it first"};
}

bool IsThere(const fs::path& path) {
  std::error_code failed;
  return fs::exists(fs::symlink_status(path, failed));
}

}  // namespace

Result<std::unique_ptr<Staging>> Staging::Make(const fs::path& destination) {
  std::error_code failed;
  fs::path place = fs::absolute(destination, failed).lexically_normal();
  if (failed) return SystemError(destination.string(), failed.value());
  if (!place.has_filename()) place = place.parent_path();
  if (IsThere(place)) return Exists(destination);
  auto folder = MakeTempFolder(place.parent_path(), ".slipway-");
  if (!folder) return Within(destination.string(), std::move(folder).error());
  return std::unique_ptr<Staging>(new Staging(*std::move(folder), std::move(place)));
}

Staging::~Staging() { static_cast<void>(RemoveTree(folder_).has_value()); }

Result<void> Staging::Commit() {
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, destination_.c_str(), RENAME_NOREPLACE) == 0) {
    return SyncFolder(destination_.parent_path());
  }
  if (errno == EEXIST) return Exists(destination_);
  if (errno != EINVAL && errno != ENOSYS) return SystemError(destination_.string(), errno);
  if (IsThere(destination_)) return Exists(destination_);
  std::error_code failed;
  fs::rename(path_, destination_, failed);
  if (failed) return SystemError(destination_.string(), failed.value());
  return SyncFolder(destination_.parent_path());
}

}  // namespace slipway::imagebuilder
