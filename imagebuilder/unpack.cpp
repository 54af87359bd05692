// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/extract.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/layer_stream.h"
#include "imagebuilder/merge.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTempPrefix = ".unpack-";
constexpr std::int64_t kMarkBytes = 4096;

/// A folder that goes with the object unless it was moved away before.
class TempFolder {
 public:
  static Result<std::unique_ptr<TempFolder>> Make(const fs::path& parent) {
    fs::path path = TRY(MakeTempFolder(parent, kTempPrefix));
    return std::unique_ptr<TempFolder>(new TempFolder(std::move(path)));
  }
  ~TempFolder() { static_cast<void>(RemoveTree(path_).has_value()); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  explicit TempFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

/// Holds the folder against every other process until the object goes.
Result<UniqueFd> LockFolder(const fs::path& folder) {
  TRY(MakeFolders(folder));
  UniqueFd lock(::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return SystemError((folder / ".lock").string(), errno);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return SystemError((folder / ".lock").string(), errno);
  }
  return lock;
}

/// What a process that was killed has left; the lock is held.
Result<void> RemoveLeftovers(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().filename().native().starts_with(kTempPrefix)) TRY(RemoveTree(at->path()));
  }
  if (failed) return SystemError(folder.string(), failed.value());
  return {};
}

Result<void> Rename(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) return SystemError(to.string(), failed.value());
  return SyncFolder(to.parent_path());
}

/// The layer's folder below `shared`, filled once for all images.
Result<fs::path> SharedLayer(const BlobStore& blobs, const Layer& layer, const fs::path& shared) {
  const fs::path folder = shared / std::string(TRY(Digest::Parse(layer.diff_id)).hex());
  std::error_code failed;
  if (fs::is_directory(folder, failed)) return folder;
  const auto temp = TRY(TempFolder::Make(shared));
  const fs::path content = temp->path() / "layer";
  TRY(MakeFolders(content));
  const auto stream = TRY(LayerStream::Open(blobs, layer));
  TarReader tar(stream->Source());
  TRY(ExtractLayer(tar, content));
  TRY(stream->Finish());
  TRY(Rename(content, folder));
  return folder;
}

Result<void> Assemble(const BlobStore& blobs, const Image& image, const fs::path& root,
                      const fs::path& shared) {
  const UniqueFd lock = TRY(LockFolder(shared));
  TRY(RemoveLeftovers(shared));
  for (const Layer& layer : image.layers) {
    auto unpacked = SharedLayer(blobs, layer, shared);
    if (!unpacked) {
      return Within(fmt::format("unpacking layer {}", layer.name), std::move(unpacked).error());
    }
    TRY(MergeLayer(*unpacked, root));
  }
  return CheckLinks(root);
}

bool IsComplete(const fs::path& folder, const Image& image) {
  std::error_code failed;
  if (!fs::is_directory(folder / "rootfs", failed)) return false;
  const auto mark = ReadFile(folder / "rootfs.digest", kMarkBytes);
  return mark && *mark == image.manifest.digest + "\n";
}

}  // namespace

Result<fs::path> Unpack(const BlobStore& blobs, const Image& image, const fs::path& folder,
                        const fs::path& shared) {
  const fs::path rootfs = folder / "rootfs";
  if (IsComplete(folder, image)) return rootfs;
  const UniqueFd lock = TRY(LockFolder(folder));
  if (IsComplete(folder, image)) return rootfs;
  TRY(RemoveLeftovers(folder));
  const auto temp = TRY(TempFolder::Make(folder));
  const fs::path fresh = temp->path() / "rootfs";
  TRY(MakeFolders(fresh));
  std::error_code failed;
  fs::permissions(fresh, fs::perms(0755), failed);
  TRY(Assemble(blobs, image, fresh, shared));
  TRY(RemoveTree(folder / "rootfs.digest"));
  if (fs::exists(rootfs, failed)) TRY(Rename(rootfs, temp->path() / "old"));
  TRY(Rename(fresh, rootfs));
  TRY(WriteFileAtomic(folder / "rootfs.digest", image.manifest.digest + "\n"));
  return rootfs;
}

}  // namespace slipway::imagebuilder
