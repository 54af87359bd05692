// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/control_group.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/file.h"
#include "runtime/bounds.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kSmallFile = 1 << 16;
constexpr std::string_view kRoot = "/sys/fs/cgroup";

std::string OwnGroup() {
  auto text = ReadFile("/proc/self/cgroup", kSmallFile);
  if (!text) return "";
  const auto start = text->find("0::");
  if (start == std::string::npos) return "";
  return text->substr(start + 3, text->find('\n', start) - start - 3);
}

/// The limit that a file holds, or `most` where it holds none.
std::int64_t LimitIn(const std::string& file, std::int64_t most) {
  auto text = ReadFile(file, kSmallFile);
  if (!text) return most;
  std::int64_t bytes = most;
  std::from_chars(text->data(), text->data() + text->size(), bytes);
  return bytes > 0 ? std::min(bytes, most) : most;
}

}  // namespace

std::vector<std::string> ControlGroupFolders() {
  return {std::string(kRoot), std::string(kRoot) + OwnGroup()};
}

std::int64_t UsableMemoryBytes() {
  std::int64_t bytes = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  for (const std::string& folder : ControlGroupFolders()) {
    bytes = LimitIn(folder + "/memory.max", bytes);
  }
  return LimitIn(std::string(kRoot) + "/memory/memory.limit_in_bytes", bytes);
}

}  // namespace slipway::runtime
