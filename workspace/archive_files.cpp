// SPDX-License-Identifier: Apache-2.0
#include "workspace/archive_files.h"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>

#include "base/file.h"
#include "base/limits.h"
#include "imagebuilder/gzip.h"
#include "imagebuilder/tar_reader.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

using imagebuilder::TarEntry;
using imagebuilder::TarReader;

constexpr std::size_t kBlockBytes = 1 << 16;

Error Invalid(std::string message) {
  return Error{.code = Code::kInvalidArgument,
               .message = "the archive " + std::move(message),
               .id = "Archive.Invalid",
               .fix = "send a tar archive, plain or gzipped, of files and folders"};
}

imagebuilder::ByteSource SourceOf(const MappedFile& file,
                                  std::unique_ptr<imagebuilder::GunzipReader>& gunzip) {
  const auto bytes = file.bytes();
  const bool gzipped =
      bytes.size() > 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
  if (gzipped) {
    gunzip = std::make_unique<imagebuilder::GunzipReader>(bytes);
    return [&gunzip] { return gunzip->Next(); };
  }
  return [bytes, at = std::size_t{0}]() mutable -> Result<std::span<const std::byte>> {
    const auto block = bytes.subspan(at, std::min(kBlockBytes, bytes.size() - at));
    at += block.size();
    return block;
  };
}

Result<BlobStore::Stored> Store(TarReader& tar, BlobStore& blobs) {
  const std::unique_ptr<BlobStore::Writer> writer =
      TRY(blobs.NewWriter(std::nullopt, limits::kBlobBytes));
  std::array<std::byte, kBlockBytes> block{};
  while (true) {
    const std::size_t count = TRY(tar.Read(block));
    if (count == 0) return writer->Commit();
    TRY(writer->Write(std::span(block).first(count)));
  }
}

Result<std::vector<api::ModelFile>> ReadAll(TarReader& tar, BlobStore& blobs) {
  std::vector<api::ModelFile> files;
  std::set<std::string> paths;
  while (true) {
    const std::optional<TarEntry> entry = TRY(tar.Next());
    if (!entry) break;
    if (entry->kind == TarEntry::Kind::kFolder) continue;
    if (entry->kind != TarEntry::Kind::kFile) return Invalid("holds a link: " + entry->path);
    if (!paths.insert(entry->path).second) return Invalid("holds " + entry->path + " twice");
    if (std::cmp_greater(paths.size(), limits::kModelFiles)) {
      return Error{.code = Code::kResourceExhausted,
                   .message = "the archive holds more than " + std::to_string(limits::kModelFiles) +
                              " files",
                   .id = "Archive.TooManyFiles"};
    }
    const BlobStore::Stored stored = TRY(Store(tar, blobs));
    files.push_back({.path = entry->path, .digest = stored.digest.text(), .size = stored.size});
  }
  if (files.empty()) return Invalid("holds no files");
  std::ranges::sort(files, {}, &api::ModelFile::path);
  return files;
}

}  // namespace

Result<std::vector<api::ModelFile>> UnpackToBlobs(Workspace& workspace, const Digest& archive) {
  const std::shared_lock keep(workspace.keep_mutex());
  const std::filesystem::path path = TRY(workspace.blobs().Path(archive));
  const std::shared_ptr<const MappedFile> file = TRY(MappedFile::Open(path));
  std::unique_ptr<imagebuilder::GunzipReader> gunzip;
  TarReader tar(SourceOf(*file, gunzip));
  Result<std::vector<api::ModelFile>> files = ReadAll(tar, workspace.blobs());
  if (files || files.error().code != Code::kDataLoss) return files;
  return Invalid("cannot be read: " + files.error().message);
}

}  // namespace slipway::workspace
