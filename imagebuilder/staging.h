// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/blob_store.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// A file that is about to leave the workspace: text, or a stored blob.
struct OutputFile {
  std::string path;  ///< relative
  std::string text = {};
  std::string blob = {};  ///< digest; empty: `text`
};

/// A place beside the destination where an output is made before it gets its name.
class Staging {
 public:
  /// kAlreadyExists (id `Image.DestinationExists`) if the destination exists.
  static Result<std::unique_ptr<Staging>> Make(const std::filesystem::path& destination);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const std::filesystem::path& path() const { return path_; }  ///< does not exist at first
  /// Gives it its name, durably and without replacing anything.
  Result<void> Commit();

 private:
  Staging(std::filesystem::path folder, std::filesystem::path destination)
      : folder_(std::move(folder)),
        path_(folder_ / "output"),
        destination_(std::move(destination)) {}
  std::filesystem::path folder_, path_, destination_;
};

/// The files of an OCI layout. Source: OCI image-spec, image-layout.md.
/// kInvalidArgument (id `Image.Reference`).
Result<std::vector<OutputFile>> LayoutFiles(const Image& image, const std::string& reference);

/// Writes a tar of the files, sorted, every blob verified on the way; the same files give the
/// same bytes.
Result<void> WriteArchive(const BlobStore& blobs, std::vector<OutputFile> files,
                          const std::filesystem::path& destination);

}  // namespace slipway::imagebuilder
