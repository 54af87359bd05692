// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/reference.h"
#include "imagebuilder/staging.h"

namespace slipway::imagebuilder {
namespace {

/// Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
/// The layers stay compressed, which `docker load` accepts.
Result<void> Write(const BlobStore& blobs, const Image& image, const std::string& reference,
                   const std::filesystem::path& destination) {
  const Reference parsed = TRY(ParseReference(reference));
  const Digest config = TRY(Digest::Parse(image.config.digest));
  const std::string config_file = fmt::format("{}.json", config.hex());
  std::vector<OutputFile> files = {{.path = config_file, .blob = config.text()}};
  Json layers = Json::array();
  std::string top;
  for (const Layer& layer : image.layers) {
    const Digest digest = TRY(Digest::Parse(layer.blob.digest));
    files.push_back({.path = fmt::format("{}.tar.gz", digest.hex()), .blob = digest.text()});
    layers.push_back(files.back().path);
    top = digest.hex();
  }
  Json entry = {{"Config", config_file},
                {"RepoTags", {fmt::format("{}:{}", parsed.name, parsed.tag)}},
                {"Layers", std::move(layers)}};
  const Json repositories = {{parsed.name, {{parsed.tag, top}}}};
  files.push_back({.path = "manifest.json", .text = DumpJson(Json::array({std::move(entry)}))});
  files.push_back({.path = "repositories", .text = DumpJson(repositories)});
  return WriteArchive(blobs, std::move(files), destination);
}

}  // namespace

OutputType outputs_docker_archive() {
  return {.name = "docker-archive", .summary = "one tar file for docker load", .write = Write};
}

}  // namespace slipway::imagebuilder
