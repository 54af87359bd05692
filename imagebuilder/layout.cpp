// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/reference.h"
#include "imagebuilder/staging.h"

namespace slipway::imagebuilder {

Result<std::vector<OutputFile>> LayoutFiles(const Image& image, const std::string& reference) {
  const Reference parsed = TRY(ParseReference(reference));
  const Json entry = {
      {"mediaType", image.manifest.media_type},
      {"digest", image.manifest.digest},
      {"size", image.manifest.size},
      {"annotations",
       {{"org.opencontainers.image.ref.name", fmt::format("{}:{}", parsed.name, parsed.tag)}}}};
  const Json index = {{"schemaVersion", 2},
                      {"mediaType", "application/vnd.oci.image.index.v1+json"},
                      {"manifests", Json::array({entry})}};
  std::vector<OutputFile> files = {
      {.path = "index.json", .text = DumpJson(index)},
      {.path = "oci-layout", .text = DumpJson({{"imageLayoutVersion", "1.0.0"}})}};
  std::vector<std::string> digests = {image.manifest.digest, image.config.digest};
  for (const Layer& layer : image.layers) digests.push_back(layer.blob.digest);
  for (const std::string& text : digests) {
    const Digest digest = TRY(Digest::Parse(text));
    files.push_back({.path = fmt::format("blobs/sha256/{}", digest.hex()), .blob = digest.text()});
  }
  return files;
}

}  // namespace slipway::imagebuilder
