// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/file_state.h"

#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/file.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::int64_t kTickNs = 20'000'000;
constexpr std::chrono::milliseconds kPastTheTick{21};

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<FileState> StateOf(const std::filesystem::path& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return SystemError(file.string(), errno);
  return FileState{.device = static_cast<std::int64_t>(facts.st_dev),
                   .inode = static_cast<std::int64_t>(facts.st_ino),
                   .size = static_cast<std::int64_t>(facts.st_size),
                   .modified_ns = Nanoseconds(facts.st_mtim),
                   .changed_ns = Nanoseconds(facts.st_ctim)};
}

bool IsSettled(const FileState& state) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Nanoseconds(now) - state.changed_ns > kTickNs;
}

Result<std::optional<FileState>> SettledState(const std::filesystem::path& file) {
  FileState state = TRY(StateOf(file));
  if (!IsSettled(state)) {
    std::this_thread::sleep_for(kPastTheTick);
    state = TRY(StateOf(file));
  }
  return IsSettled(state) ? std::optional(state) : std::nullopt;
}

Result<StatedDigest> DigestOf(const std::filesystem::path& file, const FileState& before) {
  const Digest digest = TRY(Digest::OfFile(file));
  StatedDigest stated{.digest = digest};
  const FileState after = TRY(StateOf(file));
  if (before == after && IsSettled(after)) stated.state = after;
  return stated;
}

}  // namespace slipway::imagebuilder
