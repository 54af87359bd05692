// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/python_layers.h"

namespace slipway::imagebuilder {
namespace {

Json ModelsJson(const BuildSpec& spec) {
  Json models = Json::array();
  for (const ModelInput& model : spec.models) {
    if (model.main_file.empty()) continue;
    models.push_back(
        {{"name", model.name},
         {"version", model.version},
         {"path", fmt::format("{}/{}", ModelFolder(model.name, model.version), model.main_file)}});
  }
  return models;
}

Result<Json> ScriptJson(const PythonSpec& spec) {
  std::vector<std::string> modules;
  for (const std::string& name : TRY(ModuleFolders(spec))) {
    modules.push_back(fmt::format("{}/{}", kModulesFolder, name));
  }
  std::vector<std::string> libraries = spec.lock.python.library_path;
  // Last: the image's own libraries come first, those that only the server has after them.
  libraries.emplace_back(kLibraryFolder);
  return Json{{"entry", fmt::format("{}/{}", kAppRoot, spec.entry)},
              {"source_directory", kAppRoot},
              {"python", spec.lock.python.interpreter},
              {"python_path", modules},
              {"library_path", libraries},
              {"loader", spec.lock.python.loader}};
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  Json config = {{"models", ModelsJson(spec)}, {"port", spec.port}};
  if (spec.python) config["script"] = TRY(ScriptJson(*spec.python));
  return std::vector<FileEntry>{
      {.path = std::string(kServerConfig), .mode = 0644, .text = DumpJson(config) + "\n"}};
}

}  // namespace

LayerType layers_config() {
  return {
      .name = "config", .order = 30, .summary = "what the scoring server serves", .files = Files};
}

}  // namespace slipway::imagebuilder
