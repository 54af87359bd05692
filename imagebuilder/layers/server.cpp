// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "imagebuilder/closure.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {
namespace {

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  const Closure closure = TRY(FindClosure(spec.server_program));
  std::vector<FileEntry> files;
  files.push_back(
      {.path = std::string(kServerProgram), .mode = 0755, .source = spec.server_program});
  const std::string loader = std::filesystem::path(closure.interpreter).filename();
  for (const auto& [name, source] : closure.libraries) {
    files.push_back({.path = fmt::format("{}/{}", kLibraryFolder, name),
                     .mode = name == loader ? 0755U : 0644U,
                     .source = source});
  }
  return files;
}

}  // namespace

LayerType layers_server() {
  return {.name = "server",
          .order = 10,
          .summary = "the scoring server with every library it loads",
          .files = Files,
          .in_all_images = true};
}

}  // namespace slipway::imagebuilder
