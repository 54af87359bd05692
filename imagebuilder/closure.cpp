// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/closure.h"

#include <fmt/format.h>

#include <deque>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "imagebuilder/elf.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLibrariesMax = 1000;

Result<ElfFacts> ReadElf(const fs::path& file) {
  const auto mapped = TRY(MappedFile::Open(file));
  auto facts = ParseElf(mapped->bytes());
  if (!facts) return Within(file.string(), std::move(facts).error());
  return facts;
}

struct Object {
  fs::path path;
  ElfFacts facts;
};

class Finder {
 public:
  Finder(const LibraryPlaces& places, const Object& program) : places_(places), program_(program) {
    if (const auto cache = MappedFile::Open(places.cache)) {
      cached_ = ReadLoaderCache((*cache)->bytes());
    }
  }

  /// RPATH counts only without RUNPATH, and the program's serves all.
  std::optional<Object> Find(const std::string& name, const Object& by) const {
    const std::string& own = by.facts.runpath.empty() ? by.facts.rpath : by.facts.runpath;
    if (auto found = InList(own, by.path, name)) return found;
    if (by.facts.runpath.empty() && program_.facts.runpath.empty()) {
      if (auto found = InList(program_.facts.rpath, program_.path, name)) return found;
    }
    const auto [begin, end] = cached_.equal_range(name);
    for (auto at = begin; at != end; ++at) {
      if (auto found = Usable(at->second)) return found;
    }
    for (const fs::path& folder : places_.folders) {
      if (auto found = Usable(folder / name)) return found;
    }
    return std::nullopt;
  }

  /// A file for another machine is passed over, as the loader does.
  std::optional<Object> Usable(const fs::path& path) const {
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) return std::nullopt;
    auto facts = ReadElf(path);
    if (!facts || facts->machine != program_.facts.machine) return std::nullopt;
    return Object{.path = path, .facts = *std::move(facts)};
  }

 private:
  std::optional<Object> InList(std::string_view list, const fs::path& owner,
                               const std::string& name) const {
    if (list.empty()) return std::nullopt;
    for (const std::string& item : Split(list, ':')) {
      const std::string folder = Expand(item, owner);
      if (!folder.starts_with('/')) continue;
      if (auto found = Usable(fs::path(folder) / name)) return found;
    }
    return std::nullopt;
  }

  static std::string Expand(std::string text, const fs::path& owner) {
    for (const std::string_view token : {"${ORIGIN}", "$ORIGIN"}) {
      const std::string origin = owner.parent_path().string();
      for (std::size_t at = text.find(token); at != std::string::npos;
           at = text.find(token, at + origin.size())) {
        text.replace(at, token.size(), origin);
      }
    }
    return text;
  }

  const LibraryPlaces& places_;
  const Object& program_;
  std::multimap<std::string, fs::path> cached_;
};

Error Missing(const std::string& name, const fs::path& by) {
  return {.code = Code::kNotFound,
          .message = fmt::format("{} needs {}, which is not on this machine", by.string(), name),
          .id = "Image.LibraryMissing",
          .fix = fmt::format("install the package that holds {}", name)};
}

}  // namespace

Result<Closure> FindClosure(const fs::path& program_file, const LibraryPlaces& places) {
  std::error_code failed;
  const fs::path real = fs::canonical(program_file, failed);
  if (failed) return SystemError(program_file.string(), failed.value());
  ElfFacts facts = TRY(ReadElf(real));
  const Object program{.path = real, .facts = std::move(facts)};
  Closure closure{
      .machine = program.facts.machine, .interpreter = program.facts.interpreter, .libraries = {}};
  const Finder finder(places, program);
  std::deque<Object> open{program};
  if (!closure.interpreter.empty()) {
    const std::string name = fs::path(closure.interpreter).filename();
    auto loader = finder.Usable(closure.interpreter);
    if (name.empty() || !loader) return Missing(closure.interpreter, real);
    closure.libraries.emplace(name, loader->path);
    open.push_back(*std::move(loader));
  }
  for (; !open.empty(); open.pop_front()) {
    for (const std::string& name : open.front().facts.needed) {
      if (closure.libraries.contains(name)) continue;
      if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") {
        return Error{.code = Code::kInvalidArgument,
                     .message = fmt::format("{} needs {}, which is no plain library name",
                                            open.front().path.string(), name),
                     .id = "Image.Elf"};
      }
      auto found = finder.Find(name, open.front());
      if (!found) return Missing(name, open.front().path);
      closure.libraries.emplace(name, found->path);
      if (closure.libraries.size() > kLibrariesMax) {
        return Error{.code = Code::kResourceExhausted,
                     .message = fmt::format("{} needs more than {} libraries", real.string(),
                                            kLibrariesMax)};
      }
      open.push_back(*std::move(found));
    }
  }
  return closure;
}

}  // namespace slipway::imagebuilder
