// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/control_group.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kProcesses = 4096;
constexpr std::int64_t kLeastMemory = std::int64_t{1} << 30;
constexpr std::int64_t kTextBytes = 64 << 10;

/// Files of the kernel are written as they are, in one piece.
bool Put(const fs::path& file, std::int64_t value) {
  std::ofstream out(file);
  out << value << std::flush;
  return out.good();
}

/// The number after `name` in a file of `name number` lines, or the file's only number.
std::int64_t NumberOf(const fs::path& file, std::string_view name) {
  const auto text = ReadFile(file, kTextBytes);
  if (!text) return 0;
  for (const std::string& line : Split(*text, '\n')) {
    std::string_view digits = line;
    if (!name.empty()) {
      if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') {
        continue;
      }
      digits.remove_prefix(name.size() + 1);
    }
    std::int64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  return 0;
}

/// The group a controller of version 1 has us in; version 2 is the empty name.
fs::path OwnGroup(std::string_view controller) {
  const auto text = ReadFile("/proc/self/cgroup", kTextBytes);
  for (const std::string& line : Split(text ? *text : "", '\n')) {
    const auto parts = Split(line, ':');
    if (parts.size() < 3) continue;
    const auto names = Split(parts[1], ',');
    if (std::ranges::find(names, controller) == names.end()) continue;
    return fs::path(parts[2]).relative_path();
  }
  return {};
}

/// A folder of our own below one of `parents` with the file that sets a limit.
std::optional<fs::path> FolderBelow(const std::vector<fs::path>& parents, const char* needed,
                                    const ControlGroup::MakeFolder& make_folder) {
  const std::string name = fmt::format("slipway-build-{}-{}", ::getpid(), RandomHex(4));
  for (const fs::path& parent : parents) {
    fs::path folder = parent / name;
    if (!make_folder(folder)) continue;
    std::error_code failed;
    if (fs::exists(folder / needed, failed)) return folder;
    fs::remove(folder, failed);
  }
  return std::nullopt;
}

}  // namespace

ResourceLimits DefaultLimits() {
  const auto pages = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  return {.memory_bytes = std::max(kLeastMemory, pages * page / 2), .processes = kProcesses};
}

bool ControlGroup::MakeOne(const fs::path& folder) {
  std::error_code failed;
  return fs::create_directory(folder, failed) && !failed;
}

std::unique_ptr<ControlGroup> ControlGroup::Make(const ResourceLimits& limits,
                                                 const fs::path& mount,
                                                 const MakeFolder& make_folder) {
  std::unique_ptr<ControlGroup> group(new ControlGroup);
  std::error_code failed;
  if (fs::exists(mount / "cgroup.controllers", failed)) {
    // Beside our own group, whose processes keep it from handing controllers down.
    const fs::path own = mount / OwnGroup("");
    const auto folder = FolderBelow({own.parent_path(), mount}, "memory.max", make_folder);
    if (!folder) return nullptr;
    group->folders_.push_back(*folder);
    if (Put(*folder / "memory.max", limits.memory_bytes)) group->memory_ = *folder;
    static_cast<void>(Put(*folder / "memory.swap.max", 0));
    if (Put(*folder / "pids.max", limits.processes)) group->processes_ = *folder;
  } else {
    if (const auto folder = FolderBelow({mount / "memory" / OwnGroup("memory"), mount / "memory"},
                                        "memory.limit_in_bytes", make_folder)) {
      group->folders_.push_back(*folder);
      if (Put(*folder / "memory.limit_in_bytes", limits.memory_bytes)) group->memory_ = *folder;
    }
    if (const auto folder = FolderBelow({mount / "pids" / OwnGroup("pids"), mount / "pids"},
                                        "pids.max", make_folder)) {
      group->folders_.push_back(*folder);
      if (Put(*folder / "pids.max", limits.processes)) group->processes_ = *folder;
    }
  }
  if (!group->bounds_memory() && !group->bounds_processes()) return nullptr;
  return group;
}

ControlGroup::~ControlGroup() {
  for (const fs::path& folder : folders_) {
    // The last of its processes may be about to go.
    for (int tries = 0; tries < 50 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++tries) {
      ::usleep(20'000);
    }
  }
}

std::vector<fs::path> ControlGroup::JoinFiles() const {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders_) files.push_back(folder / "cgroup.procs");
  return files;
}

std::string ControlGroup::LimitMet() const {
  if (bounds_memory() && (NumberOf(memory_ / "memory.events", "oom_kill") > 0 ||
                          NumberOf(memory_ / "memory.oom_control", "oom_kill") > 0)) {
    return "memory";
  }
  if (bounds_processes() && NumberOf(processes_ / "pids.events", "max") > 0) return "processes";
  return {};
}

}  // namespace slipway::imagebuilder
