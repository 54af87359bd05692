// SPDX-License-Identifier: Apache-2.0
#include "registry/folder_view.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "registry/names.h"

namespace slipway::registry {
namespace {

constexpr std::string_view kPrefix = "model-view-";
constexpr int kAttempts = 10;

UniqueFd LockFolder(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return UniqueFd();
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || status.st_nlink == 0) return UniqueFd();
  return fd;
}

Result<void> PlaceBlob(const std::filesystem::path& blob, const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::create_directories(target.parent_path(), error);
  if (error) return SystemError(target.parent_path().string(), error.value());
  std::filesystem::create_hard_link(blob, target, error);
  if (!error) return {};
  error.clear();
  std::filesystem::copy_file(blob, target, error);
  if (error) return SystemError(target.string(), error.value());
  return {};
}

}  // namespace

Result<std::unique_ptr<FolderView>> FolderView::Make(const std::filesystem::path& parent,
                                                     std::span<const ModelFile> files,
                                                     const BlobStore& blobs) {
  TRY(MakeFolders(parent));
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(parent, error);
  if (error) return SystemError(parent.string(), error.value());
  std::unique_ptr<FolderView> view;
  for (int attempt = 0; view == nullptr; ++attempt) {
    std::filesystem::path folder = TRY(MakeTempFolder(real, kPrefix));
    UniqueFd lock = LockFolder(folder);
    if (lock) {
      view.reset(new FolderView(std::move(folder), std::move(lock)));
    } else if (attempt == kAttempts) {
      return Error{.code = Code::kUnavailable, .message = folder.string() + ": cannot be locked"};
    }
  }
  for (const ModelFile& file : files) {
    const Digest digest = TRY(Digest::Parse(file.digest));
    const std::filesystem::path blob = TRY(blobs.Path(digest));
    TRY(PlaceBlob(blob, view->path_ / file.path));
  }
  return view;
}

FolderView::~FolderView() { static_cast<void>(RemoveTree(path_).has_value()); }

void RemoveAbandonedViews(const std::filesystem::path& parent) {
  std::vector<std::filesystem::path> views;
  std::error_code error;
  for (std::filesystem::directory_iterator it(parent, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename().string().starts_with(kPrefix)) views.push_back(it->path());
  }
  for (const std::filesystem::path& view : views) {
    const UniqueFd lock = LockFolder(view);
    if (lock) static_cast<void>(RemoveTree(view).has_value());
  }
}

}  // namespace slipway::registry
