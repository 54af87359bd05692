// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "base/file.h"
#include "imagebuilder/closure.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/places.h"
#include "imagebuilder/python/python_layers.h"
#include "imagebuilder/python/tree_writer.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

bool IsLibrary(const fs::path& path) {
  const std::string name = path.filename();
  return name.ends_with(".so") || name.find(".so.") != std::string::npos;
}

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

/// The C library that the modules load, where they look for it.
Result<void> AddRuntime(const PythonSpec& spec, std::vector<FileEntry>& files) {
  std::error_code failed;
  if (spec.library.empty() || !fs::exists(spec.library, failed)) return {};
  const fs::path real = fs::canonical(spec.library, failed);
  if (failed) return SystemError(spec.library.string(), failed.value());
  files.push_back({.path = fmt::format("{}/{}", kLibraryFolder, spec.library.filename().string()),
                   .mode = 0755U,
                   .source = real});
  return {};
}

/// Libraries that the modules' own load and neither the server nor the modules bring.
Result<void> AddLibraries(const BuildSpec& spec, std::vector<FileEntry>& files) {
  std::set<std::string> there;
  std::vector<fs::path> libraries;
  for (const FileEntry& file : files) {
    if (!IsLibrary(file.path)) continue;
    libraries.push_back(file.source);
    there.insert(fs::path(file.path).filename());
  }
  if (libraries.empty()) return {};
  const Closure server = TRY(FindClosure(spec.server_program));
  for (const auto& [name, source] : server.libraries) there.insert(name);
  for (const fs::path& library : libraries) {
    const Closure closure = TRY(FindClosure(library));
    for (const auto& [name, source] : closure.libraries) {
      if (!there.insert(name).second) continue;
      files.push_back({.path = fmt::format("{}/{}", kLibraryFolder, name), .source = source});
    }
  }
  return {};
}

Result<std::vector<FileEntry>> Files(const BuildSpec& spec, BuildContext&) {
  std::vector<FileEntry> files;
  if (!spec.python) return files;
  const std::vector<std::string> names = TRY(ModuleFolders(*spec.python));
  for (const std::string& name : names) TRY(AddFolder(spec.python->modules / name, name, files));
  TRY(AddRuntime(*spec.python, files));
  TRY(AddLibraries(spec, files));
  return files;
}

}  // namespace

LayerType layers_modules() {
  return {
      .name = "modules", .order = 12, .summary = "Slipway's own Python modules", .files = Files};
}

}  // namespace slipway::imagebuilder
