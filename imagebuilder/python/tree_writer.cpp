// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/tree_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {

namespace fs = std::filesystem;

struct TreeWriter::Place {
  UniqueFd folder;
  std::string name;
  std::string path;
};

namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Error BadMember(std::string message) {
  return {.code = Code::kDataLoss, .message = std::move(message), .id = "Image.Package"};
}

Error At(const std::string& path, int number) {
  return SystemError(fmt::format("unpacking {}", path), number);
}

/// Makes room for a new name; a folder stays and is an error of its own.
Result<void> Unlink(int folder, const std::string& name, const std::string& path) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno == EISDIR || errno == EPERM) {
    return BadMember(fmt::format("{}: a folder and a file of that name", path));
  }
  return At(path, errno);
}

}  // namespace

Result<std::unique_ptr<TreeWriter>> TreeWriter::Open(const fs::path& root) {
  TRY(MakeFolders(root));
  UniqueFd folder(::open(root.c_str(), kFolderFlags));
  if (!folder) return SystemError(root.string(), errno);
  return std::unique_ptr<TreeWriter>(new TreeWriter(root, std::move(folder)));
}

Result<TreeWriter::Place> TreeWriter::Find(std::string_view path, bool make) {
  auto names = SplitPath(path);
  if (!names) return BadMember(names.error().message);
  Place place{.folder = {}, .name = names->back(), .path = std::string(path)};
  place.folder = UniqueFd(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!place.folder) return At(place.path, errno);
  for (std::size_t i = 0; i + 1 < names->size(); ++i) {
    const char* name = (*names)[i].c_str();
    if (make && ::mkdirat(place.folder.get(), name, 0755) != 0 && errno != EEXIST) {
      return At(place.path, errno);
    }
    UniqueFd next(::openat(place.folder.get(), name, kFolderFlags));
    if (!next && (errno == ENOTDIR || errno == ELOOP)) {
      return BadMember(fmt::format("{}: {} is not a folder", path, name));
    }
    if (!next) return At(place.path, errno);
    place.folder = std::move(next);
  }
  return place;
}

Result<void> TreeWriter::AddFile(std::string_view path, unsigned mode, const Pull& pull) {
  const Place place = TRY(Find(path, true));
  TRY(Unlink(place.folder.get(), place.name, place.path));
  const UniqueFd file(::openat(place.folder.get(), place.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return At(place.path, errno);
  while (true) {
    const std::span<const std::byte> bytes = TRY(pull());
    if (bytes.empty()) break;
    TRY(WriteAll(file.get(), bytes));
  }
  if (::fchmod(file.get(), (mode & 0777U) | 0400U) != 0) return At(place.path, errno);
  return {};
}

Result<void> TreeWriter::AddText(std::string_view path, unsigned mode, std::string_view text) {
  std::span<const std::byte> left = std::as_bytes(std::span(text));
  return AddFile(path, mode, [&left]() -> Result<std::span<const std::byte>> {
    return std::exchange(left, {});
  });
}

Result<void> TreeWriter::AddFolder(std::string_view path, unsigned mode) {
  const Place place = TRY(Find(path, true));
  if (::mkdirat(place.folder.get(), place.name.c_str(), 0755) != 0 && errno != EEXIST) {
    return At(place.path, errno);
  }
  const UniqueFd folder(::openat(place.folder.get(), place.name.c_str(), kFolderFlags));
  if (!folder) return BadMember(fmt::format("{}: a folder and something else", path));
  if (::fchmod(folder.get(), (mode & 01777U) | 0700U) != 0) return At(place.path, errno);
  return {};
}

Result<void> TreeWriter::AddSymlink(std::string_view path, std::string_view target) {
  const Place place = TRY(Find(path, true));
  TRY(Unlink(place.folder.get(), place.name, place.path));
  std::string text(target);
  if (target.starts_with('/')) {
    text.clear();
    for (const char c : path) text += c == '/' ? "../" : "";
    text += target.substr(1);
    if (text.empty()) text = ".";
  }
  if (::symlinkat(text.c_str(), place.folder.get(), place.name.c_str()) != 0) {
    return At(place.path, errno);
  }
  return {};
}

Result<void> TreeWriter::AddHardlink(std::string_view path, std::string_view target) {
  const Place from = TRY(Find(target, false));
  const Place to = TRY(Find(path, true));
  TRY(Unlink(to.folder.get(), to.name, to.path));
  if (::linkat(from.folder.get(), from.name.c_str(), to.folder.get(), to.name.c_str(), 0) != 0) {
    return At(to.path, errno);
  }
  return {};
}

Result<std::vector<FileEntry>> ListTree(const fs::path& root,
                                        const std::function<bool()>& cancelled,
                                        const std::function<bool(std::string_view)>& left_out) {
  std::vector<FileEntry> entries;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (cancelled && cancelled()) return Cancelled();
    const fs::path& path = at->path();
    FileEntry entry{.path = "/" + path.lexically_relative(root).string()};
    if (left_out && left_out(entry.path)) {
      at.disable_recursion_pending();
      continue;
    }
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) return SystemError(path.string(), errno);
    entry.mode = facts.st_mode & 0777U;
    if (S_ISLNK(facts.st_mode)) {
      entry.kind = FileEntry::Kind::kSymlink;
      entry.mode = 0777;
      entry.link_target = fs::read_symlink(path, failed).string();
    } else if (S_ISDIR(facts.st_mode)) {
      entry.kind = FileEntry::Kind::kFolder;
      entry.mode = facts.st_mode & 01777U;
    } else if (S_ISREG(facts.st_mode)) {
      entry.source = path;
      entry.source_digest = TRY(Digest::OfFile(path)).text();
    } else {
      return SpecError(fmt::format("{} is no file, folder or link", entry.path));
    }
    entries.push_back(std::move(entry));
  }
  if (failed) return SystemError(root.string(), failed.value());
  return entries;
}

}  // namespace slipway::imagebuilder
