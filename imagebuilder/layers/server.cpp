// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "imagebuilder/closure.h"
#include "imagebuilder/elf.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {
namespace {

using Kind = FileEntry::Kind;

void AddSystemFiles(std::vector<FileEntry>& files) {
  files.push_back({.path = "/etc/passwd",
                   .text = fmt::format("root:x:0:0:root:/:/sbin/nologin\n"
                                       "slipway:x:{}:{}:slipway:/tmp:/sbin/nologin\n",
                                       kUserId, kUserId)});
  files.push_back(
      {.path = "/etc/group", .text = fmt::format("root:x:0:\nslipway:x:{}:\n", kUserId)});
  files.push_back(
      {.path = "/etc/nsswitch.conf", .text = "passwd: files\ngroup: files\nhosts: files dns\n"});
  files.push_back({.path = "/tmp", .kind = Kind::kFolder, .mode = 01777});
  files.push_back({.path = std::string(kAppRoot), .kind = Kind::kFolder, .mode = 0755});
}

/// Makes programs of the image work however they are started: their loader is where they name
/// it, and it finds the libraries in its standard folder.
void AddLoaderLinks(const Closure& closure, std::vector<FileEntry>& files) {
  const std::filesystem::path loader = closure.interpreter;
  if (loader.parent_path() == "/lib" || loader.parent_path() == "/lib64") {
    files.push_back(
        {.path = loader.string(),
         .kind = Kind::kSymlink,
         .mode = 0777,
         .link_target = fmt::format("..{}/{}", kLibraryFolder, loader.filename().string())});
  }
  const std::string_view triplet =
      OciArchitecture(closure.machine) == "amd64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu";
  files.push_back({.path = fmt::format("/lib/{}", triplet),
                   .kind = Kind::kSymlink,
                   .mode = 0777,
                   .link_target = fmt::format("..{}", kLibraryFolder)});
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec) {
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
  if (!closure.interpreter.empty()) AddLoaderLinks(closure, files);
  AddSystemFiles(files);
  return files;
}

}  // namespace

LayerType layers_server() {
  return {.name = "server",
          .order = 10,
          .summary = "the scoring server with every library it loads",
          .files = Files};
}

}  // namespace slipway::imagebuilder
