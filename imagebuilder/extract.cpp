// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/extract.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// An entry's place: its folder, opened without following a link, and its name there.
struct Place {
  int folder = -1;
  std::string name;
};

Error EntryError(const std::string& path, int error_number) {
  if (error_number == EEXIST) return Damaged(fmt::format("{}: the layer has it twice", path));
  return SystemError(fmt::format("unpacking {}", path), error_number);
}

Result<void> CheckWhiteout(const TarEntry& entry, std::string_view name) {
  if (!name.starts_with(kWhiteoutPrefix) || name == kOpaqueWhiteout) return {};
  const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == ".." || hidden.starts_with(kWhiteoutPrefix)) {
    return Damaged(fmt::format("{}: the whiteout names nothing", entry.path));
  }
  return {};
}

class Extractor {
 public:
  static Result<void> Run(TarReader& tar, const std::filesystem::path& root) {
    Extractor extractor(tar, UniqueFd(::open(root.c_str(), kFolderFlags)));
    if (!extractor.root_) return SystemError(root.string(), errno);
    while (const auto entry = TRY(tar.Next())) TRY(extractor.Add(*entry));
    return extractor.SetFolders();
  }

 private:
  Extractor(TarReader& tar, UniqueFd root)
      : tar_(tar), root_(std::move(root)), piece_(kPieceBytes) {}

  Result<void> Add(const TarEntry& entry) {
    if (entry.path.empty()) return {};
    if (entry.kind == TarEntry::Kind::kFolder) return AddFolder(entry);
    const Place place = TRY(Find(entry.path));
    TRY(CheckWhiteout(entry, place.name));
    if (place.name.starts_with(kWhiteoutPrefix) && entry.kind != TarEntry::Kind::kFile) {
      return Damaged(fmt::format("{}: a whiteout is an empty file", entry.path));
    }
    switch (entry.kind) {
      case TarEntry::Kind::kFile:
        return AddFile(entry, place);
      case TarEntry::Kind::kSymlink:
        return AddSymlink(entry, place);
      case TarEntry::Kind::kHardlink:
        return AddHardlink(entry, place);
      case TarEntry::Kind::kFolder:
        break;
    }
    return {};
  }

  Result<void> AddFolder(const TarEntry& entry) {
    TRY(OpenFolder(entry.path));
    folder_modes_[entry.path] = entry.mode;
    return {};
  }

  Result<void> AddFile(const TarEntry& entry, const Place& place) {
    const UniqueFd file(::openat(place.folder, place.name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return EntryError(entry.path, errno);
    std::int64_t size = 0;
    while (const std::size_t count = TRY(tar_.Read(piece_))) {
      size += static_cast<std::int64_t>(count);
      TRY(WriteAll(file.get(), std::span<const std::byte>(piece_).first(count)));
    }
    if (size != entry.size) {
      return Damaged(fmt::format("{}: {} of {} bytes are there", entry.path, size, entry.size));
    }
    if (::fchmod(file.get(), (entry.mode & 0555U) | 0400U) != 0) {
      return EntryError(entry.path, errno);
    }
    return {};
  }

  Result<void> AddSymlink(const TarEntry& entry, const Place& place) {
    std::string target = entry.link_target;
    if (target.starts_with('/')) {
      std::string relative = ".";
      for (const char c : entry.path) relative += c == '/' ? "/.." : "";
      target = relative + target;
    }
    if (::symlinkat(target.c_str(), place.folder, place.name.c_str()) != 0) {
      return EntryError(entry.path, errno);
    }
    return {};
  }

  Result<void> AddHardlink(const TarEntry& entry, const Place& place) {
    if (entry.link_target.empty()) {
      return Damaged(fmt::format("{}: the link's target is no file of the layer", entry.path));
    }
    const UniqueFd folder(::fcntl(place.folder, F_DUPFD_CLOEXEC, 0));
    if (!folder) return EntryError(entry.path, errno);
    const Place target = TRY(Find(entry.link_target));
    struct stat facts {};
    if (::fstatat(target.folder, target.name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(facts.st_mode) || target.name.starts_with(kWhiteoutPrefix)) {
      return Damaged(fmt::format("{}: the link's target {} is no file of the layer", entry.path,
                                 entry.link_target));
    }
    if (::linkat(target.folder, target.name.c_str(), folder.get(), place.name.c_str(), 0) != 0) {
      return EntryError(entry.path, errno);
    }
    return {};
  }

  Result<Place> Find(const std::string& path) {
    const std::size_t at = path.rfind('/');
    if (at == std::string::npos) return Place{.folder = root_.get(), .name = path};
    const int folder = TRY(OpenFolder(path.substr(0, at)));
    return Place{.folder = folder, .name = path.substr(at + 1)};
  }

  /// The folder stays open until another one is asked for.
  Result<int> OpenFolder(const std::string& path) {
    if (open_folder_ && path == open_path_) return open_folder_.get();
    UniqueFd folder;
    const std::vector<std::string> names = TRY(SplitPath(path));
    for (const std::string& name : names) {
      if (name.starts_with(kWhiteoutPrefix)) {
        return Damaged(fmt::format("{}: a whiteout is an empty file", path));
      }
      const int parent = folder ? folder.get() : root_.get();
      if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) {
        return EntryError(path, errno);
      }
      UniqueFd next(::openat(parent, name.c_str(), kFolderFlags));
      if (!next && (errno == ENOTDIR || errno == ELOOP)) {
        return Damaged(fmt::format("{}: {} is not a folder", path, name));
      }
      if (!next) return EntryError(path, errno);
      folder = std::move(next);
    }
    open_folder_ = std::move(folder);
    open_path_ = path;
    return open_folder_.get();
  }

  /// Last, so that a folder without write permission can be filled; its owner keeps access.
  Result<void> SetFolders() {
    for (const auto& [path, mode] : folder_modes_) {
      const int folder = TRY(OpenFolder(path));
      if (::fchmod(folder, (mode & 01777U) | 0700U) != 0) return EntryError(path, errno);
    }
    return {};
  }

  TarReader& tar_;
  UniqueFd root_;
  std::vector<std::byte> piece_;
  std::map<std::string, unsigned> folder_modes_;
  std::string open_path_;
  UniqueFd open_folder_;
};

}  // namespace

Result<void> ExtractLayer(TarReader& tar, const std::filesystem::path& root) {
  return Extractor::Run(tar, root);
}

}  // namespace slipway::imagebuilder
