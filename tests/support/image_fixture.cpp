// SPDX-License-Identifier: Apache-2.0
#include "tests/support/image_fixture.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace slipway::testing {

namespace fs = std::filesystem;

BlobFixture::BlobFixture() {
  auto opened = BlobStore::Open(folder_ / "blobs");
  if (!opened) std::abort();
  blobs_ = *std::move(opened);
}

fs::path BlobFixture::Write(const fs::path& name, std::string_view text) const {
  const fs::path path = folder_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::int64_t BlobFixture::FilesStored() const {
  std::int64_t count = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_ / "blobs")) {
    if (entry.is_regular_file()) ++count;
  }
  return count;
}

std::string Slurp(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) std::abort();
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace slipway::testing
