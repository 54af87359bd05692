// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/library_entries.h"

namespace slipway::imagebuilder {
namespace {

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  std::vector<FileEntry> files;
  for (const std::filesystem::path& library : spec.libraries) {
    files.push_back(TRY(LibraryEntry(library)));
  }
  TRY(AddLoadedLibraries(spec.server_program, files));
  return files;
}

}  // namespace

LayerType layers_libraries() {
  return {.name = "libraries",
          .order = 11,
          .summary = "what operators of the models load",
          .files = Files};
}

}  // namespace slipway::imagebuilder
