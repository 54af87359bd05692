// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

inline constexpr std::string_view kManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfigType = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";
/// What registries accept at most. Source: OCI distribution-spec, "Pushing Manifests".
inline constexpr std::int64_t kManifestBytes = 4 << 20;

/// What a container of the image is started with.
struct ImageConfig {
  std::string architecture;
  std::string user;
  std::vector<std::string> entrypoint;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> labels;
  std::string working_folder;
  int port = 0;
};

/// What a config says of a layer.
struct LayerHistory {
  std::string diff_id, name, summary;
};

struct ParsedManifest {
  struct LayerPart {
    Descriptor blob;
    std::int64_t unpacked_size = 0;  ///< 0: not said
  };
  Descriptor config;
  std::vector<LayerPart> layers;
};

struct ParsedConfig {
  RunConfig run;
  std::vector<LayerHistory> layers;
};

/// Compact JSON with sorted members. Source: OCI image-spec 1.0, config.md and manifest.md.
std::string ConfigText(const ImageConfig& config, const std::vector<Layer>& layers);
std::string ManifestText(const Descriptor& config, const std::vector<Layer>& layers);

/// Untrusted text: kDataLoss (id `Image.Damaged`) naming the first rule that is broken.
Result<ParsedManifest> ParseManifest(std::string_view text);
Result<ParsedConfig> ParseConfig(std::string_view text);

}  // namespace slipway::imagebuilder
