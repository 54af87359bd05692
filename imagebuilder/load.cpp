// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/digest.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/manifest.h"

namespace slipway::imagebuilder {
namespace {

Result<std::string> ReadText(const BlobStore& blobs, const std::string& digest) {
  return blobs.ReadVerified(TRY(Digest::Parse(digest)), kManifestBytes);
}

Result<ParsedConfig> ReadConfig(const BlobStore& blobs, const Descriptor& config) {
  const std::string text = TRY(ReadText(blobs, config.digest));
  if (static_cast<std::int64_t>(text.size()) != config.size) {
    return Damaged(fmt::format("the config {} has {} bytes, the manifest says {}", config.digest,
                               text.size(), config.size));
  }
  return ParseConfig(text);
}

Result<Layer> MakeLayer(const BlobStore& blobs, const ParsedManifest::LayerPart& part,
                        const LayerHistory& history) {
  const Digest digest = TRY(Digest::Parse(part.blob.digest));
  const std::int64_t size = TRY(blobs.Size(digest));
  if (size != part.blob.size) {
    return Damaged(fmt::format("layer {}: {} bytes are stored, the manifest says {}",
                               part.blob.digest, size, part.blob.size));
  }
  return Layer{.name = history.name,
               .summary = history.summary,
               .blob = part.blob,
               .diff_id = history.diff_id,
               .unpacked_size = part.unpacked_size};
}

Result<Image> LoadImage(const BlobStore& blobs, const std::string& manifest_digest) {
  const std::string text = TRY(ReadText(blobs, manifest_digest));
  const ParsedManifest manifest = TRY(ParseManifest(text));
  const ParsedConfig config = TRY(ReadConfig(blobs, manifest.config));
  if (config.layers.size() != manifest.layers.size()) {
    return Damaged(fmt::format("the manifest has {} layers, the config {}", manifest.layers.size(),
                               config.layers.size()));
  }
  Image image{.manifest = {.media_type = std::string(kManifestType),
                           .digest = manifest_digest,
                           .size = static_cast<std::int64_t>(text.size())},
              .config = manifest.config,
              .layers = {},
              .compressed_size = static_cast<std::int64_t>(text.size()) + manifest.config.size};
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    image.layers.push_back(TRY(MakeLayer(blobs, manifest.layers[i], config.layers[i])));
    image.compressed_size += image.layers.back().blob.size;
  }
  return image;
}

}  // namespace

Result<Image> Load(const BlobStore& blobs, const std::string& manifest_digest) {
  auto image = LoadImage(blobs, manifest_digest);
  if (!image) return Within(fmt::format("image {}", manifest_digest), std::move(image).error());
  return image;
}

Result<RunConfig> ReadRunConfig(const BlobStore& blobs, const Image& image) {
  auto config = ReadConfig(blobs, image.config);
  if (!config) {
    return Within(fmt::format("image {}", image.manifest.digest), std::move(config).error());
  }
  return std::move(config->run);
}

}  // namespace slipway::imagebuilder
