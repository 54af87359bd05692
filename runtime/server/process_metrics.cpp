// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/process_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace slipway::server {
namespace {

void Write(std::string_view name, std::string_view type, std::string_view help,
           const std::string& value, std::string& out) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

/// The fields of /proc/self/stat that count here. Source: proc(5).
struct Stat {
  std::uint64_t user_ticks = 0, system_ticks = 0, start_ticks = 0, virtual_bytes = 0;
  std::int64_t resident_pages = 0;
};

std::optional<Stat> ReadStat() {
  constexpr int kUser = 14, kSystem = 15, kStart = 22, kVirtual = 23, kResident = 24;
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The second field, a name in parentheses, can hold anything.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  Stat stat;
  std::string field;
  for (int number = 3; number <= kResident && rest >> field; ++number) {
    std::istringstream value(field);
    if (number == kUser) value >> stat.user_ticks;
    if (number == kSystem) value >> stat.system_ticks;
    if (number == kStart) value >> stat.start_ticks;
    if (number == kVirtual) value >> stat.virtual_bytes;
    if (number == kResident) value >> stat.resident_pages;
  }
  if (!rest) return std::nullopt;
  return stat;
}

/// When this machine started, in seconds since 1970.
std::optional<std::int64_t> BootTime() {
  std::ifstream file("/proc/stat");
  std::string word;
  std::int64_t seconds = 0;
  while (file >> word) {
    if (word == "btime" && file >> seconds) return seconds;
    std::getline(file, word);
  }
  return std::nullopt;
}

std::optional<std::int64_t> OpenFiles() {
  std::error_code error;
  std::int64_t count = 0;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) ++count;
  // One of them is the folder that is read.
  if (error || count == 0) return std::nullopt;
  return count - 1;
}

}  // namespace

std::string ProcessMetricsText() {
  std::string out;
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  if (const std::optional<Stat> stat = ReadStat()) {
    Write("process_cpu_seconds_total", "counter", "Total user and system CPU time in seconds.",
          fmt::format("{}", static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks),
          out);
    if (const std::optional<std::int64_t> boot = BootTime()) {
      const double started =
          static_cast<double>(*boot) + static_cast<double>(stat->start_ticks) / ticks;
      Write("process_start_time_seconds", "gauge",
            "Start time of the process since the Unix epoch in seconds.",
            fmt::format("{:.2f}", started), out);
    }
    Write("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
          fmt::format("{}", stat->virtual_bytes), out);
    Write("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
          fmt::format("{}", stat->resident_pages * ::sysconf(_SC_PAGESIZE)), out);
  }
  if (const std::optional<std::int64_t> files = OpenFiles()) {
    Write("process_open_fds", "gauge", "Number of open file descriptors.",
          fmt::format("{}", *files), out);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    Write("process_max_fds", "gauge", "Maximum number of open file descriptors.",
          fmt::format("{}", limit.rlim_cur), out);
  }
  return out;
}

}  // namespace slipway::server
