// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/layer_stream.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {

Result<std::unique_ptr<LayerStream>> LayerStream::Open(const BlobStore& blobs, const Layer& layer) {
  const Digest digest = TRY(Digest::Parse(layer.blob.digest));
  const std::int64_t size = TRY(blobs.Size(digest));
  if (size != layer.blob.size) {
    return Damaged(fmt::format("layer {}: {} bytes are stored, the manifest says {}",
                               layer.blob.digest, size, layer.blob.size));
  }
  TRY(blobs.Verify(digest));
  const std::filesystem::path path = TRY(blobs.Path(digest));
  auto file = TRY(MappedFile::Open(path));
  return std::unique_ptr<LayerStream>(new LayerStream(std::move(file), layer));
}

ByteSource LayerStream::Source() {
  return [this] { return Next(); };
}

Result<std::span<const std::byte>> LayerStream::Next() {
  const std::span<const std::byte> piece = TRY(reader_.Next());
  size_ += static_cast<std::int64_t>(piece.size());
  if (size_ > limits::kBlobBytes) {
    return Damaged(fmt::format("layer {} unpacks to more than {} bytes", layer_.blob.digest,
                               limits::kBlobBytes));
  }
  plain_.Update(piece);
  return piece;
}

Result<void> LayerStream::Finish() {
  while (!TRY(Next()).empty()) {
  }
  const std::string diff_id = plain_.Finish().text();
  if (diff_id != layer_.diff_id) {
    return Damaged(fmt::format("layer {}: its content is {}, the config says {}",
                               layer_.blob.digest, diff_id, layer_.diff_id));
  }
  if (layer_.unpacked_size > 0 && layer_.unpacked_size != size_) {
    return Damaged(fmt::format("layer {}: it unpacks to {} bytes, the manifest says {}",
                               layer_.blob.digest, size_, layer_.unpacked_size));
  }
  return {};
}

}  // namespace slipway::imagebuilder
