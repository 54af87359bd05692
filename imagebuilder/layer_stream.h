// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/blob_store.h"
#include "base/result.h"
#include "imagebuilder/gzip.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {

/// The plain tar of a stored layer, checked on the way. Not thread-safe.
class LayerStream {
 public:
  /// Verifies the compressed blob first: kDataLoss if it is not what the descriptor says.
  static Result<std::unique_ptr<LayerStream>> Open(const BlobStore& blobs, const Layer& layer);
  ByteSource Source();
  /// Reads what is left; kDataLoss unless the whole has the layer's diff_id and unpacked size
  /// (where that is known).
  Result<void> Finish();

 private:
  LayerStream(std::shared_ptr<const MappedFile> file, const Layer& layer)
      : file_(std::move(file)), reader_(file_->bytes()), layer_(layer) {}
  Result<std::span<const std::byte>> Next();

  std::shared_ptr<const MappedFile> file_;
  GunzipReader reader_;
  Layer layer_;
  Sha256 plain_;
  std::int64_t size_ = 0;
};

}  // namespace slipway::imagebuilder
