// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "workspace/layer_cache.h"

namespace slipway::workspace {
namespace {

using imagebuilder::Turns;

class StoredLayerCache final : public imagebuilder::LayerCache {
 public:
  StoredLayerCache(Database& database, BlobStore& blobs) : database_(database), blobs_(blobs) {}

  std::optional<imagebuilder::Layer> Find(const std::string& key) override {
    std::optional<imagebuilder::Layer> layer;
    const std::array<SqlValue, 1> values{key};
    const Result<void> read = database_.Query(
        "SELECT name, summary, media_type, digest, size, diff_id, unpacked_size FROM layer_cache"
        " WHERE key = ?",
        values, [&layer](const Row& row) {
          layer = imagebuilder::Layer{
              .name = row.Text(0),
              .summary = row.Text(1),
              .blob = {.media_type = row.Text(2), .digest = row.Text(3), .size = row.Int(4)},
              .diff_id = row.Text(5),
              .unpacked_size = row.Int(6)};
        });
    if (!read || !layer) return std::nullopt;
    const Result<Digest> digest = Digest::Parse(layer->blob.digest);
    if (!digest) return std::nullopt;
    const Result<std::int64_t> size = blobs_.Size(*digest);
    if (!size || *size != layer->blob.size) return std::nullopt;
    return layer;
  }

  void Put(const std::string& key, const imagebuilder::Layer& layer) override {
    const std::array<SqlValue, 8> values{key,
                                         layer.name,
                                         layer.summary,
                                         layer.blob.media_type,
                                         layer.blob.digest,
                                         layer.blob.size,
                                         layer.diff_id,
                                         layer.unpacked_size};
    static_cast<void>(database_.Execute(
        "INSERT OR REPLACE INTO layer_cache (key, name, summary, media_type, digest, size, diff_id,"
        " unpacked_size) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        values));
  }

  Turns& turns() override { return turns_; }

 private:
  Turns turns_;
  Database& database_;
  BlobStore& blobs_;
};

}  // namespace

std::unique_ptr<imagebuilder::LayerCache> MakeLayerCache(Database& database, BlobStore& blobs) {
  return std::make_unique<StoredLayerCache>(database, blobs);
}

}  // namespace slipway::workspace
