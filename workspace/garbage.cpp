// SPDX-License-Identifier: Apache-2.0
#include "workspace/garbage.h"

#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Removes a tree under another name, so that one which is half gone when this program dies is not
/// taken for whole; the next start removes what is left.
Result<void> RemoveAtOnce(Workspace& workspace, const std::filesystem::path& path) {
  const std::filesystem::path doomed = workspace.temp_folder() / ("removed-" + RandomHex(8));
  std::error_code failure;
  std::filesystem::rename(path, doomed, failure);
  if (failure) return SystemError(path.string(), failure.value());
  return RemoveTree(doomed);
}

/// Removes what is in `folder` and not named by `keep`.
Result<void> RemoveOthers(Workspace& workspace, const std::filesystem::path& folder,
                          const std::set<std::string>& keep) {
  std::error_code failure;
  std::filesystem::directory_iterator entries(folder, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    if (!keep.contains(entries->path().filename().string())) {
      TRY(RemoveAtOnce(workspace, entries->path()));
    }
  }
  return {};
}

Result<void> RemoveUnusedUnpacked(Workspace& workspace) {
  std::set<std::string> images;
  const auto keep = [&images](const std::string& text) {
    const Result<Digest> digest = Digest::Parse(text);
    if (digest) images.insert(std::string(digest->hex()));
  };
  for (const ServiceRow& row : TRY(workspace.store().AllServices())) {
    keep(row.service.image_digest);
    if (!IsSplit(row)) continue;
    for (const api::TrafficShare& share : row.service.traffic) {
      const ServiceRow revision = TRY(workspace.store().GetRevision(row, share.revision));
      keep(revision.service.image_digest);
    }
  }
  TRY(RemoveOthers(workspace, workspace.run_folder() / "images", images));
  if (!images.empty()) return {};
  std::set<std::string> layers = {".lock"};
  for (const imagebuilder::Layer& layer : workspace.kept_layers()) {
    const Result<Digest> digest = Digest::Parse(layer.diff_id);
    if (digest) layers.insert(std::string(digest->hex()));
  }
  return RemoveOthers(workspace, workspace.run_folder() / "layers", layers);
}

Result<std::set<Digest>> BlobsToKeep(Workspace& workspace) {
  std::set<Digest> keep = TRY(workspace.registry().BlobsInUse());
  keep.merge(TRY(workspace.store().ImageBlobs()));
  for (const imagebuilder::Layer& layer : workspace.kept_layers()) {
    keep.insert(TRY(Digest::Parse(layer.blob.digest)));
  }
  return keep;
}

}  // namespace

Result<std::int64_t> CollectGarbage(Workspace& workspace) {
  const std::unique_lock alone(workspace.keep_mutex(), std::try_to_lock);
  if (!alone) return std::int64_t{0};
  TRY(RemoveUnusedUnpacked(workspace));
  const std::set<Digest> keep = TRY(BlobsToKeep(workspace));
  return workspace.blobs().CollectGarbage(keep, workspace.config().garbage_grace_seconds);
}

void CollectGarbageAndTell(Workspace& workspace) {
  const Result<std::int64_t> freed = CollectGarbage(workspace);
  if (!freed) {
    log::Warn("garbage was not collected", {{"error", freed.error().message}});
  } else if (*freed > 0) {
    log::Info("garbage collected", {{"bytes", *freed}});
  }
}

void CollectGarbageLater(Workspace& workspace) {
  workspace.operations().Later([&workspace] { CollectGarbageAndTell(workspace); });
}

}  // namespace slipway::workspace
