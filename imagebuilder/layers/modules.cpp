// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>

#include "base/file.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/library_entries.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/python_layers.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

bool IsLeftOut(const fs::path& path) {
  return path.filename() == "__pycache__" || path.parent_path().filename() == "__pycache__";
}

Result<void> AddFolder(const fs::path& folder, const std::string& name,
                       std::vector<FileEntry>& files) {
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (IsLeftOut(at->path()) || !at->is_regular_file(failed)) continue;
    files.push_back({.path = fmt::format("{}/{}/{}", kModulesFolder, name,
                                         at->path().lexically_relative(folder).generic_string()),
                     .mode = IsLibrary(at->path()) ? 0755U : 0644U,
                     .source = at->path()});
  }
  if (failed) return SystemError(folder.string(), failed.value());
  return {};
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  std::vector<FileEntry> files;
  if (!spec.python) return files;
  const std::vector<std::string> names = TRY(ModuleFolders(*spec.python));
  for (const std::string& name : names) TRY(AddFolder(spec.python->modules / name, name, files));
  std::error_code failed;
  if (fs::exists(spec.python->library, failed))
    files.push_back(TRY(LibraryEntry(spec.python->library)));
  TRY(AddLoadedLibraries(spec.server_program, files));
  return files;
}

}  // namespace

LayerType layers_modules() {
  return {
      .name = "modules", .order = 12, .summary = "Slipway's own Python modules", .files = Files};
}

}  // namespace slipway::imagebuilder
