// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {
namespace {

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  std::vector<FileEntry> files;
  if (!spec.python) return files;
  // The base may be another's: the folder is there whatever lies in it.
  files.push_back({.path = std::string(kAppRoot), .kind = FileEntry::Kind::kFolder, .mode = 0755});
  for (const AppFile& file : spec.python->files) {
    files.push_back({.path = fmt::format("{}/{}", kAppRoot, file.path),
                     .mode = 0644,
                     .source = file.source,
                     .source_digest = file.digest});
  }
  return files;
}

}  // namespace

LayerType layers_script() {
  return {.name = "script",
          .order = 15,
          .summary = "the scoring script and what lies beside it",
          .files = Files};
}

}  // namespace slipway::imagebuilder
