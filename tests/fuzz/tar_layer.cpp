// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <utility>

#include "base/file.h"
#include "imagebuilder/extract.h"
#include "imagebuilder/gzip.h"
#include "imagebuilder/merge.h"
#include "imagebuilder/tar_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using slipway::Result;
using Bytes = std::span<const std::byte>;
namespace fs = std::filesystem;

/// Whatever the bytes say, nothing may appear beside the two folders.
void Unpack(slipway::imagebuilder::ByteSource source) {
  const auto place = slipway::MakeTempFolder(fs::temp_directory_path(), "slipway-fuzz-");
  if (!place) std::abort();
  const fs::path layer = *place / "layer";
  const fs::path root = *place / "root";
  fs::create_directory(layer);
  fs::create_directory(root);
  slipway::imagebuilder::TarReader tar(std::move(source));
  if (slipway::imagebuilder::ExtractLayer(tar, layer)) {
    if (slipway::imagebuilder::MergeLayer(layer, root)) {
      static_cast<void>(slipway::imagebuilder::CheckLinks(root).has_value());
    }
  }
  if (std::distance(fs::directory_iterator(*place), {}) != 2) std::abort();
  if (!slipway::RemoveTree(*place)) std::abort();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  Unpack([rest = bytes]() mutable -> Result<Bytes> { return std::exchange(rest, {}); });
  slipway::imagebuilder::GunzipReader gunzip(bytes);
  Unpack([&] { return gunzip.Next(); });
  return 0;
}
