// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace slipway::imagebuilder {

/// What a container may use at most.
struct ResourceLimits {
  std::int64_t memory_bytes = 0, processes = 0;
};
/// Half of this machine's memory, and as many processes as a build needs.
ResourceLimits DefaultLimits();

/// Control groups that bound a command and everything it starts, where this machine lets us make
/// them: of version 2, else of version 1. Removed with the object, when nothing runs in them any
/// more. Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1.
class ControlGroup {
 public:
  /// Makes a folder, whether it could; the kernel fills it.
  using MakeFolder = std::function<bool(const std::filesystem::path&)>;

  /// Nothing where neither memory nor processes can be bounded so. `mount`: `/sys/fs/cgroup`.
  static std::unique_ptr<ControlGroup> Make(const ResourceLimits& limits,
                                            const std::filesystem::path& mount = "/sys/fs/cgroup",
                                            const MakeFolder& make_folder = MakeOne);
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  bool bounds_memory() const { return !memory_.empty(); }
  bool bounds_processes() const { return !processes_.empty(); }
  /// A process that writes `0` to each of these files is in the group.
  std::vector<std::filesystem::path> JoinFiles() const;
  /// Whether a process of the group was killed, or could not be started, for a limit of it; which.
  std::string LimitMet() const;

 private:
  ControlGroup() = default;
  static bool MakeOne(const std::filesystem::path& folder);
  std::vector<std::filesystem::path> folders_;  // made, in this order
  std::filesystem::path memory_, processes_;    // the folders among them that bound it
};

}  // namespace slipway::imagebuilder
