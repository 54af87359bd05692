// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/merge.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

Result<std::vector<fs::path>> List(const fs::path& folder) {
  std::vector<fs::path> names;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    names.push_back(at->path().filename());
  }
  if (failed) return SystemError(folder.string(), failed.value());
  return names;
}

Result<void> ApplyWhiteouts(const std::vector<fs::path>& names, const fs::path& root) {
  for (const fs::path& name : names) {
    const std::string& text = name.native();
    if (text == kOpaqueWhiteout) {
      const std::vector<fs::path> hidden = TRY(List(root));
      for (const fs::path& lower : hidden) TRY(RemoveTree(root / lower));
    } else if (text.starts_with(kWhiteoutPrefix)) {
      TRY(RemoveTree(root / text.substr(kWhiteoutPrefix.size())));
    }
  }
  return {};
}

Result<void> PutFile(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::create_hard_link(from, to, failed);
  if (!failed) return {};
  fs::copy_file(from, to, failed);
  if (failed) return SystemError(to.string(), failed.value());
  return {};
}

/// True where `path` already is a folder; anything else there is removed.
Result<bool> MakeRoom(const fs::path& path, bool for_folder) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(path, failed);
  if (status.type() == fs::file_type::not_found) return false;
  if (status.type() == fs::file_type::none) return SystemError(path.string(), failed.value());
  if (for_folder && status.type() == fs::file_type::directory) return true;
  TRY(RemoveTree(path));
  return false;
}

Result<void> PutFolder(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  if (!TRY(MakeRoom(to, true))) fs::create_directory(to, failed);
  if (failed) return SystemError(to.string(), failed.value());
  TRY(MergeLayer(from, to));
  fs::permissions(to, fs::status(from, failed).permissions(), failed);
  if (failed) return SystemError(to.string(), failed.value());
  return {};
}

Result<void> PutSymlink(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::copy_symlink(from, to, failed);
  if (failed) return SystemError(to.string(), failed.value());
  return {};
}

Result<void> CheckLink(int root, const fs::path& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int fd = -1;
  do {
    fd = static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  const UniqueFd target(fd);
  if (target || errno == ENOENT || errno == ENOTDIR || errno == EACCES) return {};
  if (errno == EXDEV || errno == ELOOP) {
    return Damaged(
        fmt::format("{}: the symbolic link leads out of the image or in a circle", path.string()));
  }
  return SystemError(fmt::format("checking {}", path.string()), errno);
}

}  // namespace

Result<void> MergeLayer(const fs::path& layer, const fs::path& root) {
  const std::vector<fs::path> names = TRY(List(layer));
  TRY(ApplyWhiteouts(names, root));
  for (const fs::path& name : names) {
    if (name.native().starts_with(kWhiteoutPrefix)) continue;
    const fs::path from = layer / name;
    const fs::path to = root / name;
    std::error_code failed;
    const fs::file_type type = fs::symlink_status(from, failed).type();
    if (type == fs::file_type::directory) {
      TRY(PutFolder(from, to));
      continue;
    }
    TRY(MakeRoom(to, false));
    if (type == fs::file_type::symlink) {
      TRY(PutSymlink(from, to));
    } else {
      TRY(PutFile(from, to));
    }
  }
  return {};
}

Result<void> CheckLinks(const fs::path& root) {
  const UniqueFd folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return SystemError(root.string(), errno);
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->is_symlink(failed)) TRY(CheckLink(folder.get(), at->path().lexically_relative(root)));
  }
  if (failed) return SystemError(root.string(), failed.value());
  return {};
}

}  // namespace slipway::imagebuilder
