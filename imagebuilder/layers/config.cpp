// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {
namespace {

Result<std::vector<FileEntry>> Files(const BuildSpec& spec) {
  Json models = Json::array();
  for (const ModelInput& model : spec.models) {
    models.push_back(
        {{"name", model.name},
         {"version", model.version},
         {"path", fmt::format("{}/{}", ModelFolder(model.name, model.version), model.main_file)}});
  }
  const Json config = {{"models", std::move(models)}, {"port", spec.port}};
  return std::vector<FileEntry>{
      {.path = std::string(kServerConfig), .mode = 0644, .text = DumpJson(config) + "\n"}};
}

}  // namespace

LayerType layers_config() {
  return {
      .name = "config", .order = 30, .summary = "what the scoring server serves", .files = Files};
}

}  // namespace slipway::imagebuilder
