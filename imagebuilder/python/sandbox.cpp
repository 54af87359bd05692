// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr int kNoSandbox = 113;
constexpr std::string_view kNoSandboxMark = "slipway: no sandbox: ";

/// Joins control groups, the arguments up to `--`, and becomes what follows.
constexpr std::string_view kJoin = R"sh(
while [ "$1" != -- ]; do
  echo 0 >"$1" || { echo "slipway: no sandbox: its control group cannot be joined"; exit 113; }
  shift
done
shift
exec "$@"
)sh";

/// Runs in the new namespaces, before the root is entered. Arguments: root, folder, whether to
/// give up capabilities, command, KiB of memory a process and number of processes where they are
/// bounded here. What a container engine mounts, no more.
constexpr std::string_view kEnter = R"sh(
root=$1 folder=$2 caps=$3 command=$4 memory=$5 processes=$6
no() { echo "slipway: no sandbox: $1"; exit 113; }
mount --make-rprivate / 2>/dev/null || no "mounts cannot be made private"
mount --bind "$root" "$root" || no "the root cannot be mounted"
mkdir -p "$root/proc" "$root/dev" "$root/sys" "$root/tmp"
mount -t tmpfs -o mode=0755,size=64k tmpfs "$root/dev" || no "no file system for devices"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device" || no "/dev/$device cannot be mounted"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm" && mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc" || no "/proc cannot be mounted"
if [ -e /etc/resolv.conf ] && [ -e "$root/etc/resolv.conf" ]; then
  mount --bind /etc/resolv.conf "$root/etc/resolv.conf" || no "name lookup cannot be set up"
fi
hostname slipway-build 2>/dev/null
ulimit -c 0
[ -z "$memory" ] || ulimit -v "$memory" || no "memory cannot be bounded"
[ -z "$processes" ] || ulimit -u "$processes" 2>/dev/null || ulimit -p "$processes" 2>/dev/null
ulimit -n 65536 2>/dev/null
umask 022
set -- chroot "$root" /bin/sh -c 'cd "$1" || exit 1; exec /bin/sh -c "$2"' sh "$folder" "$command"
if [ -n "$caps" ]; then set -- setpriv --no-new-privs --bounding-set "$caps" "$@"; fi
exec "$@"
)sh";

/// What container engines leave to root.
constexpr std::string_view kCapabilities =
    "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,"
    "+sys_chroot,+setfcap";

Error NoSandbox(std::string_view why) {
  return {.code = Code::kUnavailable,
          .message = fmt::format("RUN needs a container, and this machine allows none: {}", why),
          .id = "Image.NoSandbox",
          .fix =
              "run slipwayd as root, allow user namespaces (user.max_user_namespaces), or put "
              "the step into a --base image"};
}

std::string LastLine(const std::string& output) {
  std::string last;
  for (const std::string& line : Split(output, '\n')) {
    if (!Trim(line).empty()) last = Trim(line);
  }
  return last;
}

std::string NameOf(const SandboxSpec& spec) {
  return spec.called.empty() ? fmt::format("the step 'RUN {}'", spec.command) : spec.called;
}

std::string Mebibytes(std::int64_t bytes) { return fmt::format("{} MiB", bytes >> 20); }

/// How far the limits hold, for people.
std::string LimitsText(const ResourceLimits& limits, const ControlGroup* group, bool root) {
  const bool memory = group != nullptr && group->bounds_memory();
  const bool processes = group != nullptr && group->bounds_processes();
  return fmt::format("limits: memory {} {}, {}", Mebibytes(limits.memory_bytes),
                     memory ? "(control group)" : "a process (prlimit)",
                     processes ? fmt::format("{} processes (control group)", limits.processes)
                     : root    ? "processes without limit (no control group, and prlimit does not "
                                 "bind root)"
                            : fmt::format("{} processes of the user (prlimit)", limits.processes));
}

std::vector<std::string> Words(const SandboxSpec& spec, const ControlGroup* group, bool root) {
  std::vector<std::string> words = {"/bin/sh", "-c", std::string(kJoin), "sh"};
  if (group != nullptr) {
    for (const fs::path& file : group->JoinFiles()) words.push_back(file.string());
  }
  words.insert(words.end(), {"--", "/usr/bin/unshare", "--mount", "--pid", "--ipc", "--uts",
                             "--fork", "--kill-child"});
  if (!root) words.insert(words.end(), {"--user", "--map-root-user"});
  if (!spec.network) words.emplace_back("--net");
  const bool memory = group != nullptr && group->bounds_memory();
  const bool processes = group != nullptr && group->bounds_processes();
  words.insert(words.end(), {"--", "/bin/sh", "-c", std::string(kEnter), "sh", spec.root.string(),
                             spec.folder, root ? std::string(kCapabilities) : "", spec.command,
                             memory ? "" : std::to_string(spec.limits.memory_bytes >> 10),
                             processes ? "" : std::to_string(spec.limits.processes)});
  return words;
}

/// Why a command failed that met a limit; nothing where it met none.
std::optional<Error> LimitError(const SandboxSpec& spec, const ControlGroup* group) {
  const std::string met = group == nullptr ? "" : group->LimitMet();
  if (met.empty()) return std::nullopt;
  return Error{
      .code = Code::kResourceExhausted,
      .message = fmt::format("{} needed more than {}", NameOf(spec),
                             met == "memory" ? Mebibytes(spec.limits.memory_bytes) + " of memory"
                                             : fmt::format("{} processes", spec.limits.processes)),
      .id = "Image.StepLimit",
      .fix = "put what it makes into a --base image, or build on a larger machine"};
}

}  // namespace

Result<void> RunInSandbox(const SandboxSpec& spec, const WorkHooks& hooks) {
  std::error_code failed;
  for (const char* program : {"/usr/bin/unshare", "/usr/sbin/chroot", "/usr/bin/setpriv"}) {
    if (!fs::exists(program, failed)) return NoSandbox(fmt::format("it has no {}", program));
  }
  if (!fs::exists(spec.root / "bin/sh", failed)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "RUN needs a shell, and the base has no /bin/sh",
                 .id = "Image.NoShell"};
  }
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
      "DEBIAN_FRONTEND=noninteractive"};
  for (const auto& [name, value] : spec.environment) {
    environment.push_back(fmt::format("{}={}", name, value));
  }
  const bool root = ::geteuid() == 0;
  const auto group = ControlGroup::Make(spec.limits);
  hooks.Say(LimitsText(spec.limits, group.get(), root));
  const CommandOutcome outcome = TRY(RunCommand({.argv = Words(spec, group.get(), root),
                                                 .environment = environment,
                                                 .scratch = spec.scratch,
                                                 .timeout = spec.timeout},
                                                hooks));
  if (outcome.status == 0) return {};
  const std::size_t mark = outcome.output.find(kNoSandboxMark);
  if (outcome.status == kNoSandbox && mark != std::string::npos) {
    return NoSandbox(LastLine(outcome.output.substr(mark + kNoSandboxMark.size())));
  }
  if (outcome.output.find("unshare: unshare failed") != std::string::npos) {
    return NoSandbox(LastLine(outcome.output));
  }
  if (auto limit = LimitError(spec, group.get())) return *std::move(limit);
  const std::string last = LastLine(outcome.output);
  return Error{.code = Code::kFailedPrecondition,
               .message = fmt::format("{} ended with status {}{}{}", NameOf(spec), outcome.status,
                                      last.empty() ? "" : ": ", last),
               .id = "Image.StepFailed"};
}

}  // namespace slipway::imagebuilder
