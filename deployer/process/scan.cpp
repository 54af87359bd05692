// SPDX-License-Identifier: Apache-2.0
#include "deployer/process/scan.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "base/limits.h"
#include "base/process_stat.h"
#include "base/text.h"
#include "deployer/process/command.h"

namespace slipway::deployer {
namespace {

constexpr std::int64_t kEnvironmentBytes = 4 << 20;

pid_t PidOf(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  pid_t pid = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && end == name.data() + name.size() ? pid : 0;
}

}  // namespace

std::vector<std::pair<ProcessId, std::string>> FindMarked(const std::string& prefix) {
  const std::string wanted = std::string(kMarkVariable) + "=" + prefix;
  std::vector<std::pair<ProcessId, std::string>> found;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator("/proc", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const pid_t pid = PidOf(it->path());
    if (pid == 0) continue;
    const auto stat = ReadProcessStat(pid);
    auto environment = ReadFile(it->path() / "environ", kEnvironmentBytes);
    if (!stat || stat->HasEnded() || !environment) continue;
    for (const std::string& variable : Split(*environment, '\0')) {
      if (!variable.starts_with(wanted)) continue;
      found.emplace_back(ProcessId{.pid = pid, .start_ticks = stat->start_ticks},
                         variable.substr(kMarkVariable.size() + 1));
      break;
    }
  }
  return found;
}

}  // namespace slipway::deployer
