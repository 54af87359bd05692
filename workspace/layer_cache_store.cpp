// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "imagebuilder/file_state.h"
#include "workspace/layer_cache.h"

namespace slipway::workspace {
namespace {

using imagebuilder::FileState;
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

  Result<std::string> FileDigest(const std::filesystem::path& file) override {
    const Turns::Turn turn = TRY(turns_.Take("file " + file.native(), {}));
    const FileState before = TRY(imagebuilder::StateOf(file));
    const std::string known = TRY(KnownDigest(file, before));
    if (!known.empty()) return known;
    const imagebuilder::StatedDigest read = TRY(imagebuilder::DigestOf(file, before));
    if (read.state) TRY(Remember(file, *read.state, read.digest));
    return read.digest.text();
  }

  Turns& turns() override { return turns_; }

 private:
  Result<std::string> KnownDigest(const std::filesystem::path& file, const FileState& state) {
    const std::array<SqlValue, 6> values{file.string(), state.device,      state.inode,
                                         state.size,    state.modified_ns, state.changed_ns};
    std::string digest;
    TRY(database_.Query(
        "SELECT digest FROM file_digests WHERE path = ? AND device = ? AND inode = ? AND size = ?"
        " AND modified_ns = ? AND changed_ns = ?",
        values, [&digest](const Row& row) { digest = row.Text(0); }));
    return digest;
  }

  Result<void> Remember(const std::filesystem::path& file, const FileState& state,
                        const Digest& digest) {
    const std::array<SqlValue, 7> values{file.string(), state.device,      state.inode,
                                         state.size,    state.modified_ns, state.changed_ns,
                                         digest.text()};
    TRY(database_.Execute(
        "INSERT OR REPLACE INTO file_digests (path, device, inode, size, modified_ns, changed_ns,"
        " digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
        values));
    return {};
  }

  Turns turns_;
  Database& database_;
  BlobStore& blobs_;
};

}  // namespace

std::unique_ptr<imagebuilder::LayerCache> MakeLayerCache(Database& database, BlobStore& blobs) {
  return std::make_unique<StoredLayerCache>(database, blobs);
}

}  // namespace slipway::workspace
