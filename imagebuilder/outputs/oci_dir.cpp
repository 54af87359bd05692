// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/staging.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

/// Blobs never change, so the store's file itself serves where both are on one file system.
Result<void> PutBlob(const BlobStore& blobs, const std::string& blob, const fs::path& to) {
  const Digest digest = TRY(Digest::Parse(blob));
  TRY(blobs.Verify(digest));
  const fs::path from = TRY(blobs.Path(digest));
  std::error_code failed;
  fs::create_hard_link(from, to, failed);
  if (failed == std::errc::file_exists) return {};
  if (!failed) return {};
  fs::copy_file(from, to, failed);
  if (failed) return SystemError(to.string(), failed.value());
  return {};
}

Result<void> Write(const BlobStore& blobs, const Image& image, const std::string& reference,
                   const fs::path& destination) {
  const std::vector<OutputFile> files = TRY(LayoutFiles(image, reference));
  const auto staging = TRY(Staging::Make(destination));
  TRY(MakeFolders(staging->path() / "blobs" / "sha256"));
  for (const OutputFile& file : files) {
    const fs::path path = staging->path() / file.path;
    if (file.blob.empty()) {
      TRY(WriteFileAtomic(path, file.text));
    } else {
      TRY(PutBlob(blobs, file.blob, path));
    }
  }
  TRY(SyncFolder(staging->path() / "blobs" / "sha256"));
  return staging->Commit();
}

}  // namespace

OutputType outputs_oci_dir() {
  return {.name = "oci-dir", .summary = "a folder with an OCI image layout", .write = Write};
}

}  // namespace slipway::imagebuilder
