// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/unpack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <span>
#include <string>
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
constexpr std::string_view kTree = "tree";
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
  return {};
}

/// Nothing that is unpacked is synced: it can be unpacked again. A mark with this says that it is
/// whole for as long as the machine runs, whatever becomes of the processes; after a start of the
/// machine, when files may be missing or cut, it no longer counts.
std::string BootText() {
  const auto id = ReadFile("/proc/sys/kernel/random/boot_id", kMarkBytes);
  return id && !id->empty() ? *id : "";
}

bool HasMark(const fs::path& mark, const std::string& text) {
  const std::string boot = BootText();
  const auto found = ReadFile(mark, kMarkBytes);
  return found && !boot.empty() && *found == text + boot;
}

Result<void> WriteMark(const fs::path& mark, const std::string& text) {
  const UniqueFd file(::open(mark.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return SystemError(mark.string(), errno);
  const std::string content = text + BootText();
  return WriteAll(file.get(), std::as_bytes(std::span(content)));
}

Result<fs::path> LayerFolder(const Layer& layer, const fs::path& shared) {
  return shared / std::string(TRY(Digest::Parse(layer.diff_id)).hex());
}

bool IsUnpacked(const fs::path& folder) {
  std::error_code failed;
  return fs::is_directory(folder / kTree, failed) && HasMark(folder / "boot", "");
}

/// Gives a folder that holds the whole tree its name; the lock is held.
Result<void> KeepTree(const fs::path& made, const fs::path& folder) {
  TRY(WriteMark(made / "boot", ""));
  TRY(RemoveTree(folder));
  return Rename(made, folder);
}

/// The layer's tree below `shared`, made once for all images; the lock is held.
Result<fs::path> SharedLayer(const BlobStore& blobs, const Layer& layer, const fs::path& shared) {
  const fs::path folder = TRY(LayerFolder(layer, shared));
  if (IsUnpacked(folder)) return folder / kTree;
  const auto temp = TRY(TempFolder::Make(shared));
  TRY(MakeFolders(temp->path() / kTree));
  const auto stream = TRY(LayerStream::Open(blobs, layer));
  TarReader tar(stream->Source());
  TRY(ExtractLayer(tar, temp->path() / kTree));
  TRY(stream->Finish());
  TRY(KeepTree(temp->path(), folder));
  return folder / kTree;
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
  return fs::is_directory(folder / "rootfs", failed) &&
         HasMark(folder / "rootfs.digest", image.manifest.digest + "\n");
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
  TRY(WriteMark(folder / "rootfs.digest", image.manifest.digest + "\n"));
  return rootfs;
}

Result<void> UnpackLayer(const BlobStore& blobs, const Layer& layer, const fs::path& shared) {
  const UniqueFd lock = TRY(LockFolder(shared));
  TRY(RemoveLeftovers(shared));
  TRY(SharedLayer(blobs, layer, shared));
  return {};
}

Result<void> KeepLayerTree(const Layer& layer, const fs::path& made, const fs::path& shared) {
  const fs::path folder = TRY(LayerFolder(layer, shared));
  const UniqueFd lock = TRY(LockFolder(shared));
  if (IsUnpacked(folder)) return {};
  return KeepTree(made, folder);
}

}  // namespace slipway::imagebuilder
