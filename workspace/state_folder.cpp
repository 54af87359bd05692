// SPDX-License-Identifier: Apache-2.0
#include "workspace/state_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/process.h"
#include "base/process_stat.h"
#include "base/temporary_file.h"
#include "base/text.h"

namespace slipway::workspace {
namespace {

constexpr std::size_t kTokenBytes = 32;
constexpr std::int64_t kSmallFileBytesMax = 4096;

std::filesystem::path EndpointFile(const std::filesystem::path& state) {
  return state / "run" / "endpoint.json";
}

std::filesystem::path LockFile(const std::filesystem::path& state) {
  return state / "run" / "lock";
}

/// The program that has, or had, the lock: its pid and when it started, as it wrote there.
ProcessId HolderOf(const std::filesystem::path& state) {
  const Result<std::string> text = ReadFile(LockFile(state), kSmallFileBytesMax);
  ProcessId holder;
  if (!text) return holder;
  std::istringstream(*text) >> holder.pid >> holder.start_ticks;
  return holder;
}

/// Where the disk is full it stays empty: a second program then waits longer before it is refused.
void WriteHolder(int fd) {
  const std::optional<ProcessStat> self = ReadProcessStat(::getpid());
  const std::string text =
      fmt::format("{} {}\n", ::getpid(), self ? self->start_ticks : std::uint64_t{0});
  if (::ftruncate(fd, 0) != 0) return;
  static_cast<void>(::pwrite(fd, text.data(), text.size(), 0) == 0);
}

/// Takes the lock. A program that is killed keeps it until its last thread has ended, and leaves it
/// to what it was just starting until that runs: a moment, and seconds where the disk is busy.
bool TakeLock(int fd, const std::filesystem::path& state) {
  constexpr int kTries = 4000, kTriesWhileHolderRuns = 200;
  for (int tries = 0, running = 0; tries < kTries && running < kTriesWhileHolderRuns; ++tries) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    if (IsRunning(HolderOf(state))) ++running;
    SystemClock().Sleep(std::chrono::milliseconds(5));
  }
  errno = EWOULDBLOCK;
  return false;
}

std::string WhoHasIt(const std::filesystem::path& state) {
  const ProcessId holder = HolderOf(state);
  if (!IsRunning(holder)) return "another slipwayd";
  std::string who = fmt::format("slipwayd with process id {}", holder.pid);
  const Result<std::string> text = ReadFile(EndpointFile(state), kSmallFileBytesMax);
  if (!text) return who;
  const Result<Json> endpoint = ParseJson(*text);
  if (!endpoint) return who;
  const Result<std::int64_t> pid = GetInt(*endpoint, "pid");
  const Result<std::string> address = GetString(*endpoint, "address");
  return pid && *pid == holder.pid && address ? who + " at " + *address : who;
}

bool IsToken(std::string_view text) {
  return text.size() == 2 * kTokenBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<void> MakeStateFolder(const std::filesystem::path& state) {
  std::error_code failure;
  const bool is_new = !std::filesystem::exists(state, failure);
  TRY(MakeFolders(state));
  if (is_new && ::chmod(state.c_str(), 0700) != 0) return SystemError(state.string(), errno);
  for (const char* name : {"blobs", "logs", "run"}) TRY(MakeFolders(state / name));
  return {};
}

Result<void> SweepStateFolder(const std::filesystem::path& state) {
  std::vector<std::filesystem::path> folders{state, state / "run"};
  std::error_code error;
  std::filesystem::directory_iterator at(state / "run", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::error_code unseen;
    if (at->symlink_status(unseen).type() == std::filesystem::file_type::directory) {
      folders.push_back(at->path());
    }
  }
  if (error) return SystemError("cannot list " + (state / "run").string(), error.value());
  for (const std::filesystem::path& folder : folders) TRY(RemoveTemporaryFiles(folder));
  return {};
}

Result<UniqueFd> LockStateFolder(const std::filesystem::path& state) {
  const std::filesystem::path file = LockFile(state);
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return SystemError(file.string(), errno);
  if (TakeLock(fd.get(), state)) {
    WriteHolder(fd.get());
    return fd;
  }
  if (errno != EWOULDBLOCK) return SystemError(file.string(), errno);
  return Error{.code = Code::kFailedPrecondition,
               .message = "state folder " + state.string() + " is in use by " + WhoHasIt(state),
               .id = "State.InUse",
               .fix = "use that one, stop it with slipway down, or give another --state"};
}

Result<std::string> ReadOrMakeToken(const std::filesystem::path& state) {
  const std::filesystem::path file = state / "admin.token";
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    if (errno != ENOENT) return SystemError(file.string(), errno);
    const std::string token = RandomHex(kTokenBytes);
    TRY(WriteFileAtomic(file, token + "\n", {.mode = 0600}));
    return token;
  }
  if ((info.st_mode & 077) != 0) {
    return Error{.code = Code::kPermissionDenied,
                 .message = file.string() + " may be read or written by others than its owner",
                 .id = "State.TokenOpen",
                 .fix = "chmod 600 " + file.string()};
  }
  const std::string text = TRY(ReadFile(file, kSmallFileBytesMax));
  const std::string token(Trim(text));
  if (IsToken(token)) return token;
  return Error{.code = Code::kDataLoss,
               .message = file.string() + " does not hold 64 hex digits",
               .id = "State.Damaged",
               .fix = "remove it; the next start makes a new one"};
}

Error InStateFolder(Error error) {
  if (error.id != "Disk.Full") return error;
  error.id = "State.DiskFull";
  error.fix = "free space on the disk that holds the state folder";
  return error;
}

Result<void> WriteEndpoint(const std::filesystem::path& state, const std::string& address) {
  const std::optional<ProcessStat> self = ReadProcessStat(::getpid());
  const Json endpoint{
      {"address", address}, {"pid", ::getpid()}, {"start_ticks", self ? self->start_ticks : 0}};
  return WriteFileAtomic(EndpointFile(state), DumpJson(endpoint) + "\n");
}

void RemoveEndpoint(const std::filesystem::path& state) {
  std::error_code ignored;
  std::filesystem::remove(EndpointFile(state), ignored);
}

}  // namespace slipway::workspace
