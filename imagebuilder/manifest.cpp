// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kEpoch = "1970-01-01T00:00:00Z";

Json DescriptorJson(const Descriptor& descriptor) {
  return {{"mediaType", descriptor.media_type},
          {"digest", descriptor.digest},
          {"size", descriptor.size}};
}

}  // namespace

std::string ConfigText(const ImageConfig& config, const std::vector<Layer>& layers) {
  Json environment = Json::array();
  for (const auto& [name, value] : config.environment) environment.push_back(name + "=" + value);
  Json diff_ids = Json::array();
  Json history = Json::array();
  for (const Layer& layer : layers) {
    diff_ids.push_back(layer.diff_id);
    history.push_back({{"created", kEpoch},
                       {"created_by", "slipway layer " + layer.name},
                       {"comment", layer.summary}});
  }
  Json run = {{"User", config.user},
              {"Entrypoint", config.entrypoint},
              {"Env", environment},
              {"WorkingDir", config.working_folder},
              {"ExposedPorts", {{fmt::format("{}/tcp", config.port), Json::object()}}},
              {"Labels", config.labels}};
  return DumpJson({{"created", kEpoch},
                   {"architecture", config.architecture},
                   {"os", "linux"},
                   {"config", std::move(run)},
                   {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}},
                   {"history", std::move(history)}});
}

std::string ManifestText(const Descriptor& config, const std::vector<Layer>& layers) {
  Json parts = Json::array();
  for (const Layer& layer : layers) {
    Json part = DescriptorJson(layer.blob);
    part["annotations"] = {{"io.slipway.layer.unpacked-size", std::to_string(layer.unpacked_size)}};
    parts.push_back(std::move(part));
  }
  return DumpJson({{"schemaVersion", 2},
                   {"mediaType", kManifestType},
                   {"config", DescriptorJson(config)},
                   {"layers", std::move(parts)}});
}

}  // namespace slipway::imagebuilder
