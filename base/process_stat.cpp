// SPDX-License-Identifier: Apache-2.0
#include "base/process_stat.h"

#include <fmt/core.h>

#include <charconv>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace slipway {
namespace {

template <typename T>
bool ReadNumber(const std::string& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  constexpr std::int64_t kStatBytesMax = 4096;
  const Result<std::string> text = ReadFile(fmt::format("/proc/{}/stat", pid), kStatBytesMax);
  return text ? ParseProcessStat(*text) : std::nullopt;
}

std::optional<ProcessStat> ParseProcessStat(std::string_view text) {
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string_view::npos) return std::nullopt;
  const std::vector<std::string> fields = Split(text.substr(name_end + 2), ' ');
  constexpr std::size_t kStateField = 0;
  constexpr std::size_t kThreadsField = 20 - 3;
  constexpr std::size_t kStartField = 22 - 3;
  if (fields.size() <= kStartField || fields[kStateField].size() != 1) return std::nullopt;
  ProcessStat stat{.state = fields[kStateField][0]};
  if (!ReadNumber(fields[kThreadsField], stat.threads)) return std::nullopt;
  if (!ReadNumber(fields[kStartField], stat.start_ticks)) return std::nullopt;
  return stat;
}

}  // namespace slipway
