// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

fs::path Rotated(fs::path file) { return file += ".1"; }

/// The last `max_bytes` of a file; empty if there is none.
Result<std::string> ReadEnd(const fs::path& file, std::int64_t max_bytes) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::string();
  if (!fd) return SystemError("cannot read " + file.string(), errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return SystemError("cannot read " + file.string(), errno);
  const std::int64_t begin = std::max<std::int64_t>(0, status.st_size - max_bytes);
  std::string text(static_cast<std::size_t>(status.st_size - begin), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = pread(fd.get(), text.data() + filled, text.size() - filled,
                              begin + static_cast<std::int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("cannot read " + file.string(), errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  return text;
}

/// Where the last `lines` lines begin; leaves in `lines` how many are missing.
std::size_t LastLines(const std::string& text, std::int64_t& lines) {
  if (text.empty() || lines == 0) return text.size();
  std::size_t at = text.size() - (text.back() == '\n' ? 1 : 0);
  while (true) {
    const std::size_t newline = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
    --lines;
    if (newline == std::string::npos) return 0;
    if (lines == 0) return newline + 1;
    at = newline;
  }
}

}  // namespace

Result<void> RotateLog(const fs::path& file, std::int64_t max_bytes) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0 || status.st_size <= max_bytes) return {};
  const std::string text = TRY(ReadEnd(file, max_bytes));
  TRY(WriteFileAtomic(Rotated(file), text));
  if (truncate(file.c_str(), 0) != 0) {
    return SystemError("cannot empty " + file.string(), errno);
  }
  return {};
}

Result<std::string> TailLog(const fs::path& file, std::int64_t lines) {
  lines = std::max<std::int64_t>(lines, 0);
  const std::string newer = TRY(ReadEnd(file, limits::kLogBytes));
  std::string tail = newer.substr(LastLines(newer, lines));
  if (lines > 0) {
    const std::string older = TRY(ReadEnd(Rotated(file), limits::kLogBytes));
    tail.insert(0, older.substr(LastLines(older, lines)));
  }
  return tail;
}

std::string LastLogLine(const fs::path& file, std::size_t max_bytes) {
  auto text = ReadEnd(file, 64 << 10);
  if (!text) return {};
  const std::size_t end = text->find_last_not_of(" \r\n\t");
  if (end == std::string::npos) return {};
  const std::size_t newline = text->rfind('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return text->substr(begin, std::min(end + 1 - begin, max_bytes));
}

}  // namespace slipway::deployer
