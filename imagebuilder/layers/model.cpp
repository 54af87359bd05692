// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {
namespace {

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  std::vector<FileEntry> files;
  for (const ModelInput& model : spec.models) {
    const std::string folder = ModelFolder(model.name, model.version);
    for (const ModelInput::File& file : model.files) {
      files.push_back({.path = fmt::format("{}/{}", folder, file.path),
                       .mode = 0644,
                       .source = file.source,
                       .source_digest = file.digest});
    }
  }
  return files;
}

}  // namespace

LayerType layers_model() {
  return {.name = "model", .order = 20, .summary = "the models", .files = Files};
}

}  // namespace slipway::imagebuilder
