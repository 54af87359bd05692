// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/library_entries.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <system_error>

#include "base/file.h"
#include "imagebuilder/closure.h"
#include "imagebuilder/places.h"

namespace slipway::imagebuilder {

namespace fs = std::filesystem;

bool IsLibrary(const fs::path& path) {
  const std::string name = path.filename();
  return name.ends_with(".so") || name.find(".so.") != std::string::npos;
}

Result<FileEntry> LibraryEntry(const fs::path& library) {
  std::error_code failed;
  const fs::path real = fs::canonical(library, failed);
  if (failed) return SystemError(library.string(), failed.value());
  return FileEntry{.path = fmt::format("{}/{}", kLibraryFolder, library.filename().string()),
                   .mode = 0755U,
                   .source = real};
}

Result<void> AddLoadedLibraries(const fs::path& program, std::vector<FileEntry>& files) {
  std::set<std::string> there;
  std::vector<fs::path> libraries;
  for (const FileEntry& file : files) {
    if (!IsLibrary(file.path)) continue;
    libraries.push_back(file.source);
    there.insert(fs::path(file.path).filename());
  }
  if (libraries.empty()) return {};
  const Closure of_program = TRY(FindClosure(program));
  for (const auto& [name, source] : of_program.libraries) there.insert(name);
  for (const fs::path& library : libraries) {
    const Closure closure = TRY(FindClosure(library));
    for (const auto& [name, source] : closure.libraries) {
      if (!there.insert(name).second) continue;
      files.push_back({.path = fmt::format("{}/{}", kLibraryFolder, name), .source = source});
    }
  }
  return {};
}

}  // namespace slipway::imagebuilder
