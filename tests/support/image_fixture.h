// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/blob_store.h"
#include "tests/support/tempdir.h"

namespace slipway::testing {

/// A folder with a blob store in it.
class BlobFixture {
 public:
  BlobFixture();
  BlobStore& blobs() { return *blobs_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path operator/(const std::filesystem::path& name) const {
    return folder_ / name;
  }
  /// Writes a file in the folder and says where it is.
  std::filesystem::path Write(const std::filesystem::path& name, std::string_view text) const;
  /// Files below `blobs`, temporary ones included.
  std::int64_t FilesStored() const;

 private:
  TempDir folder_;
  std::unique_ptr<BlobStore> blobs_;
};

/// Whole content of a file; stops the test program where there is none.
std::string Slurp(const std::filesystem::path& file);

}  // namespace slipway::testing
