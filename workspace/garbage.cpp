// SPDX-License-Identifier: Apache-2.0
#include "workspace/garbage.h"

#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include "base/log.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Removes what is in `folder` and not named by `keep`.
Result<void> RemoveOthers(const std::filesystem::path& folder, const std::set<std::string>& keep) {
  std::error_code failure;
  std::filesystem::directory_iterator entries(folder, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    if (!keep.contains(entries->path().filename().string())) {
      TRY(RemoveTree(entries->path()));
    }
  }
  return {};
}

Result<void> RemoveUnusedUnpacked(Workspace& workspace) {
  std::set<std::string> images;
  for (const ServiceRow& row : TRY(workspace.store().AllServices())) {
    const Result<Digest> digest = Digest::Parse(row.service.image_digest);
    if (digest) images.insert(std::string(digest->hex()));
  }
  TRY(RemoveOthers(workspace.run_folder() / "images", images));
  if (images.empty()) return RemoveTree(workspace.run_folder() / "layers");
  return {};
}

}  // namespace

Result<std::int64_t> CollectGarbage(Workspace& workspace) {
  const std::unique_lock alone(workspace.keep_mutex(), std::try_to_lock);
  if (!alone) return std::int64_t{0};
  TRY(RemoveUnusedUnpacked(workspace));
  std::set<Digest> keep = TRY(workspace.registry().BlobsInUse());
  keep.merge(TRY(workspace.store().ImageBlobs()));
  return workspace.blobs().CollectGarbage(keep, workspace.config().garbage_grace_seconds);
}

void CollectGarbageLater(Workspace& workspace) {
  workspace.operations().Later([&workspace] {
    const Result<std::int64_t> freed = CollectGarbage(workspace);
    if (!freed) {
      log::Warn("garbage was not collected", {{"error", freed.error().message}});
    } else if (*freed > 0) {
      log::Info("garbage collected", {{"bytes", *freed}});
    }
  });
}

}  // namespace slipway::workspace
