// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/entries.h"

#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <utility>

#include "base/text.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kComponentBytes = 255;
constexpr std::size_t kComponents = 128;
constexpr std::size_t kPathBytes = 4095;

Result<void> CheckContent(const FileEntry& entry) {
  if ((entry.mode & ~01777U) != 0) {
    return SpecError(
        fmt::format("{}: mode {:o} is not allowed in an image", entry.path, entry.mode));
  }
  const bool link = entry.kind == FileEntry::Kind::kSymlink;
  if (link != !entry.link_target.empty()) {
    return SpecError(fmt::format("{}: a symbolic link, and only that, has a target", entry.path));
  }
  if (link && (entry.link_target.find('\0') != std::string::npos || !IsUtf8(entry.link_target) ||
               entry.link_target.size() > kPathBytes)) {
    return SpecError(fmt::format("{}: the link's target is no path in UTF-8", entry.path));
  }
  const bool file = entry.kind == FileEntry::Kind::kFile;
  if (entry.removes && !(file && entry.text.empty() && entry.source.empty())) {
    return SpecError(fmt::format("{}: what is removed has no content", entry.path));
  }
  if (!file && !(entry.text.empty() && entry.source.empty())) {
    return SpecError(fmt::format("{}: only a file has content", entry.path));
  }
  return {};
}

Result<void> CheckPath(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return SpecError(fmt::format("{}: a path in an image begins with /", path));
  }
  if (!IsUtf8(path))
    return SpecError(fmt::format("{}: the path is not UTF-8", EncodePercent(path)));
  const auto names = SplitPath(path.substr(1));
  if (!names) return SpecError(names.error().message);
  for (const std::string& name : *names) {
    if (name.starts_with(kWhiteoutPrefix)) {
      return SpecError(fmt::format("{}: names that begin with .wh. are reserved", path));
    }
  }
  return {};
}

bool SameFolder(const FileEntry& a, const FileEntry& b) {
  return a.kind == FileEntry::Kind::kFolder && b.kind == a.kind && a.mode == b.mode;
}

}  // namespace

Result<std::vector<std::string>> SplitPath(std::string_view path) {
  const auto wrong = [&](std::string_view why) {
    return Error{.code = Code::kInvalidArgument, .message = fmt::format("{}: {}", path, why)};
  };
  if (path.size() > kPathBytes) return wrong("the path is too long");
  if (path.find('\0') != std::string_view::npos) return wrong("the path holds a zero byte");
  std::vector<std::string> names = Split(path, '/');
  if (names.size() > kComponents) return wrong("the path is too deep");
  for (const std::string& name : names) {
    if (name.empty()) return wrong("the path has an empty component");
    if (name == "." || name == "..") return wrong("the path leaves its folder");
    if (name.size() > kComponentBytes) return wrong("a name in the path is too long");
  }
  return names;
}

Result<std::vector<FileEntry>> ArrangeEntries(std::vector<FileEntry> entries) {
  std::map<std::string, FileEntry> arranged;
  for (FileEntry& entry : entries) {
    TRY(CheckPath(entry.path));
    TRY(CheckContent(entry));
    if (entry.removes) entry.path.insert(entry.path.rfind('/') + 1, kWhiteoutPrefix);
    entry.path.erase(0, 1);
    const auto [place, added] = arranged.try_emplace(entry.path, entry);
    if (!added && !SameFolder(place->second, entry)) {
      return SpecError(fmt::format("/{}: the image would have it twice", entry.path));
    }
  }
  for (const FileEntry& entry : entries) {
    for (std::size_t at = entry.path.find('/'); at != std::string::npos;
         at = entry.path.find('/', at + 1)) {
      const std::string parent = entry.path.substr(0, at);
      const auto [place, added] = arranged.try_emplace(
          parent, FileEntry{.path = parent, .kind = FileEntry::Kind::kFolder, .mode = 0755});
      if (place->second.kind != FileEntry::Kind::kFolder) {
        return SpecError(fmt::format("/{}: /{} is not a folder", entry.path, parent));
      }
    }
  }
  std::vector<FileEntry> sorted;
  sorted.reserve(arranged.size());
  for (auto& [path, entry] : arranged) sorted.push_back(std::move(entry));
  return sorted;
}

}  // namespace slipway::imagebuilder
