// SPDX-License-Identifier: Apache-2.0
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/file.h"
#include "runtime/device/control_group.h"
#include "runtime/device/device.h"

// Of OpenMP's runtime; omp.h is out of the sight of clang's tools where only g++ is installed.
extern "C" {
int omp_get_max_threads();
int omp_get_num_procs();
void omp_set_num_threads(int threads);
}

namespace slipway::runtime {
namespace {

constexpr std::int64_t kSmallFile = 1 << 16;

int CoresOfAffinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return omp_get_num_procs();
  return std::max(1, CPU_COUNT(&set));
}

double NumberAt(std::string_view text, double fallback) {
  double number = fallback;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

double QuotaOfVersion2(const std::string& folder) {
  auto text = ReadFile(folder + "/cpu.max", kSmallFile);
  if (!text || text->starts_with("max")) return 0;
  const auto space = text->find(' ');
  if (space == std::string::npos) return 0;
  const double period = NumberAt(std::string_view(*text).substr(space + 1), 0);
  return period > 0 ? NumberAt(*text, 0) / period : 0;
}

double QuotaOfVersion1() {
  auto quota = ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", kSmallFile);
  auto period = ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us", kSmallFile);
  if (!quota || !period) return 0;
  const double per = NumberAt(*period, 0);
  return per > 0 ? std::max(0.0, NumberAt(*quota, 0) / per) : 0;
}

}  // namespace

int UsableCores() {
  int cores = CoresOfAffinity();
  for (const std::string& folder : ControlGroupFolders()) {
    if (const double quota = QuotaOfVersion2(folder); quota > 0) {
      cores = std::min(cores, std::max(1, static_cast<int>(std::ceil(quota))));
    }
  }
  if (const double quota = QuotaOfVersion1(); quota > 0) {
    cores = std::min(cores, std::max(1, static_cast<int>(std::ceil(quota))));
  }
  return cores;
}

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  if (threads != before_) omp_set_num_threads(threads);
}

ThreadScope::~ThreadScope() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

}  // namespace slipway::runtime
