// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace slipway::bench {
namespace {

/// The value of the first line of a /proc file that begins with `name`.
std::string ProcField(const std::filesystem::path& file, const std::string& name) {
  const auto text = ReadFile(file, 1 << 20);
  if (!text) return "";
  for (const std::string& line : Split(*text, '\n')) {
    const std::size_t colon = line.find(':');
    if (line.starts_with(name) && colon != std::string::npos) {
      return std::string(Trim(std::string_view(line).substr(colon + 1)));
    }
  }
  return "";
}

Json Machine() {
  utsname kernel{};
  ::uname(&kernel);
  return Json{{"cpu", ProcField("/proc/cpuinfo", "model name")},
              {"cores", std::thread::hardware_concurrency()},
              {"memory", ProcField("/proc/meminfo", "MemTotal")},
              {"kernel", std::string(kernel.release)},
              {"architecture", std::string(kernel.machine)}};
}

}  // namespace

double Percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return values[std::min(index, values.size() - 1)];
}

std::string Table(const std::vector<Figure>& figures) {
  std::string table = fmt::format("{:<54} {:>10} {:<3} {:>8}\n", "what", "measured", "", "target");
  for (const Figure& figure : figures) {
    const std::string target = figure.target > 0 ? fmt::format("< {:g}", figure.target) : "-";
    const char* verdict = figure.target <= 0 ? "" : figure.Met() ? "met" : "MISSED";
    table += fmt::format("{:<54} {:>10.3f} {:<3} {:>8} {}\n", figure.name, figure.value,
                         figure.unit, target, verdict);
  }
  return table;
}

Result<void> WriteReport(const std::filesystem::path& file, const std::vector<Figure>& figures) {
  Json rows = Json::array();
  for (const Figure& figure : figures) {
    rows.push_back({{"name", figure.name},
                    {"value", figure.value},
                    {"unit", figure.unit},
                    {"target", figure.target > 0 ? Json(figure.target) : Json()},
                    {"met", figure.Met()}});
  }
  const Json report{{"time", FormatTime(SystemClock().Now())},
                    {"version", SLIPWAY_VERSION},
                    {"machine", Machine()},
                    {"figures", rows}};
  return WriteFileAtomic(file, DumpJson(report, 2) + "\n");
}

}  // namespace slipway::bench
