// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/snapshot.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/digest.h"
#include "base/file.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

/// Mounted, or of the moment.
constexpr std::array<std::string_view, 6> kNotOfTheImage = {"proc", "sys", "dev",
                                                            "tmp",  "run", "var/lib/apt/lists"};

bool IsOfTheImage(std::string_view path) {
  return std::ranges::none_of(kNotOfTheImage, [&](std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
  });
}

/// A folder is changed when its mode is: its entries speak for themselves.
bool IsSame(const Snapshot::Entry& a, const Snapshot::Entry& b) {
  if (S_ISDIR(a.mode) && S_ISDIR(b.mode)) return a.mode == b.mode;
  return a == b;
}

Result<FileEntry> MakeEntry(const fs::path& root, const std::string& path,
                            const Snapshot::Entry& facts) {
  FileEntry entry{.path = "/" + path, .mode = facts.mode & 0777U};
  if (S_ISLNK(facts.mode)) {
    std::error_code failed;
    entry.kind = FileEntry::Kind::kSymlink;
    entry.mode = 0777;
    entry.link_target = fs::read_symlink(root / path, failed).string();
    if (failed) return SystemError(path, failed.value());
  } else if (S_ISDIR(facts.mode)) {
    entry.kind = FileEntry::Kind::kFolder;
    entry.mode = facts.mode & 01777U;
  } else {
    entry.source = root / path;
    entry.source_digest = TRY(Digest::OfFile(entry.source)).text();
  }
  return entry;
}

bool IsKept(std::uint32_t mode) { return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode); }

bool IsReserved(std::string_view path) {
  return path.substr(path.rfind('/') + 1).starts_with(kWhiteoutPrefix);
}

}  // namespace

Result<Snapshot> TakeSnapshot(const fs::path& root) {
  Snapshot snapshot;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root, failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string path = at->path().lexically_relative(root).string();
    struct stat facts {};
    if (::lstat(at->path().c_str(), &facts) != 0) return SystemError(path, errno);
    snapshot.entries[path] = {
        .mode = facts.st_mode,
        .inode = facts.st_ino,
        .size = facts.st_size,
        .changed_ns = static_cast<std::int64_t>(facts.st_ctim.tv_sec) * 1'000'000'000 +
                      facts.st_ctim.tv_nsec};
  }
  if (failed) return SystemError(root.string(), failed.value());
  return snapshot;
}

Result<std::vector<FileEntry>> ChangesSince(const Snapshot& before, const fs::path& root,
                                            const std::function<bool()>& cancelled) {
  const Snapshot after = TRY(TakeSnapshot(root));
  std::vector<FileEntry> entries;
  for (const auto& [path, facts] : after.entries) {
    if (cancelled && cancelled()) return Cancelled();
    if (!IsOfTheImage(path) || !IsKept(facts.mode) || IsReserved(path)) continue;
    const auto old = before.entries.find(path);
    if (old != before.entries.end() && IsSame(old->second, facts)) continue;
    entries.push_back(TRY(MakeEntry(root, path, facts)));
  }
  for (const auto& [path, facts] : before.entries) {
    if (!IsOfTheImage(path) || after.entries.contains(path)) continue;
    // A folder that is gone takes what was in it along.
    const std::size_t slash = path.rfind('/');
    const bool parent_gone =
        slash != std::string::npos && !after.entries.contains(path.substr(0, slash));
    if (!parent_gone) entries.push_back({.path = "/" + path, .removes = true});
  }
  return entries;
}

}  // namespace slipway::imagebuilder
