// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string_view>

#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/layer_stream.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {
namespace {

Result<void> Compare(const Image& image, const Image& stored) {
  if (!(image.manifest == stored.manifest)) return Damaged("the manifest's descriptor is wrong");
  if (!(image.config == stored.config)) {
    return Damaged(fmt::format("the manifest names config {}, expected {}", stored.config.digest,
                               image.config.digest));
  }
  if (image.layers.size() != stored.layers.size()) {
    return Damaged(fmt::format("the manifest has {} layers, expected {}", stored.layers.size(),
                               image.layers.size()));
  }
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    if (!(image.layers[i] == stored.layers[i])) {
      return Damaged(fmt::format("layer {} is {}, expected {}", i, stored.layers[i].blob.digest,
                                 image.layers[i].blob.digest));
    }
  }
  if (image.compressed_size != stored.compressed_size) {
    return Damaged(fmt::format("the image has {} bytes, expected {}", stored.compressed_size,
                               image.compressed_size));
  }
  return {};
}

Result<void> CheckEntries(TarReader& tar) {
  std::string last;
  while (const auto entry = TRY(tar.Next())) {
    if (entry->path <= last) {
      return Damaged(fmt::format("{}: the entry does not come after {}", entry->path, last));
    }
    if (entry->kind == TarEntry::Kind::kHardlink) {
      return Damaged(fmt::format("{}: hard links are not reproducible", entry->path));
    }
    if (entry->has_owner_or_time) {
      return Damaged(fmt::format("{}: owner, group and time are not all 0", entry->path));
    }
    last = entry->path;
  }
  return {};
}

Result<void> CheckLayer(const BlobStore& blobs, const Layer& layer) {
  const auto stream = TRY(LayerStream::Open(blobs, layer));
  TarReader tar(stream->Source());
  TRY(CheckEntries(tar));
  return stream->Finish();
}

Result<void> Check(const BlobStore& blobs, const Image& image) {
  const Image stored = TRY(Load(blobs, image.manifest.digest));
  TRY(Compare(image, stored));
  for (const Layer& layer : image.layers) {
    auto checked = CheckLayer(blobs, layer);
    if (!checked) return Within(fmt::format("layer {}", layer.name), std::move(checked).error());
  }
  return {};
}

}  // namespace

Result<void> Validate(const BlobStore& blobs, const Image& image) {
  auto checked = Check(blobs, image);
  if (!checked) {
    Error error =
        Within(fmt::format("image {}", image.manifest.digest), std::move(checked).error());
    if (error.code == Code::kNotFound) error.code = Code::kDataLoss;
    return error;
  }
  return {};
}

}  // namespace slipway::imagebuilder
