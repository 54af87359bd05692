// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/trim_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <compare>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

struct CachedFile {
  std::int64_t used_s = 0, used_ns = 0, bytes = 0;
  std::string path;
  auto operator<=>(const CachedFile&) const = default;
};

Result<std::vector<CachedFile>> ListFiles(const fs::path& folder) {
  std::vector<CachedFile> files;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    struct stat facts {};
    if (::lstat(at->path().c_str(), &facts) != 0 || S_ISDIR(facts.st_mode)) continue;
    const bool read_last = facts.st_atim.tv_sec > facts.st_mtim.tv_sec;
    const timespec& used = read_last ? facts.st_atim : facts.st_mtim;
    files.push_back({.used_s = used.tv_sec,
                     .used_ns = used.tv_nsec,
                     .bytes = static_cast<std::int64_t>(facts.st_blocks) * 512,
                     .path = at->path().string()});
  }
  if (failed && failed != std::errc::no_such_file_or_directory) {
    return SystemError(folder.string(), failed.value());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<std::int64_t> TrimFolder(const fs::path& folder, std::int64_t max_bytes) {
  const std::vector<CachedFile> files = TRY(ListFiles(folder));
  std::int64_t total = 0, freed = 0;
  for (const CachedFile& file : files) total += file.bytes;
  for (const CachedFile& file : files) {
    if (total - freed <= max_bytes) break;
    std::error_code failed;
    fs::remove(file.path, failed);
    if (failed) return SystemError(file.path, failed.value());
    freed += file.bytes;
  }
  return freed;
}

}  // namespace slipway::imagebuilder
