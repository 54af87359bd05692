// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "imagebuilder/elf.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"
#include "imagebuilder/system_files.h"

namespace slipway::imagebuilder {
namespace {

/// Makes programs of the image work however they are started: their loader is where they name
/// it, and it finds the libraries in its standard folder.
void AddLoaderLinks(const ElfFacts& server, std::vector<FileEntry>& files) {
  const std::filesystem::path loader = server.interpreter;
  if (loader.parent_path() == "/lib" || loader.parent_path() == "/lib64") {
    files.push_back(
        {.path = loader.string(),
         .kind = FileEntry::Kind::kSymlink,
         .mode = 0777,
         .link_target = fmt::format("..{}/{}", kLibraryFolder, loader.filename().string())});
  }
  const std::string_view triplet =
      OciArchitecture(server.machine) == "amd64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu";
  files.push_back({.path = fmt::format("/lib/{}", triplet),
                   .kind = FileEntry::Kind::kSymlink,
                   .mode = 0777,
                   .link_target = fmt::format("..{}", kLibraryFolder)});
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  if (spec.python) return std::vector<FileEntry>();
  std::vector<FileEntry> files = SystemFiles();
  const auto program = TRY(MappedFile::Open(spec.server_program));
  const ElfFacts server = TRY(ParseElf(program->bytes()));
  if (!server.interpreter.empty()) AddLoaderLinks(server, files);
  return files;
}

}  // namespace

LayerType layers_system() {
  return {.name = "system",
          .order = 11,
          .summary = "the user, /tmp, and links by which programs start",
          .files = Files};
}

}  // namespace slipway::imagebuilder
