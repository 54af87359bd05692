// SPDX-License-Identifier: Apache-2.0
#include "deployer/log_line.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/text.h"

namespace slipway::deployer {
namespace {

/// Without blanks, control characters and the colours of terminals.
std::string Plain(std::string_view line) {
  std::string plain;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b' && i + 1 < line.size() && line[i + 1] == '[') {
      i += 2;
      while (i < line.size() && (line[i] < '@' || line[i] > '~')) ++i;
      continue;
    }
    const auto c = static_cast<unsigned char>(line[i]);
    if (c >= ' ' && c != 0x7f) plain.push_back(line[i]);
    if (c == '\t') plain.push_back(' ');
  }
  return std::string(Trim(plain));
}

/// `ValueError: no such thing`, `onnxruntime.capi.InvalidArgument: …` at the line's begin.
bool IsPythonError(std::string_view line) {
  const std::size_t end = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, end);
  if (name.empty()) return false;
  const bool dotted = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.';
  });
  return dotted && std::isalpha(static_cast<unsigned char>(name.front())) != 0;
}

bool SpeaksOfError(const std::string& line) {
  constexpr std::array<std::string_view, 9> kWords = {"error",  "fatal",  "panic",
                                                      "failed", "cannot", "could not",
                                                      "denied", "killed", "no such file"};
  const std::string lower = ToLower(line);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// Index of the line that ends the traceback begun at `start`; lines.size() if it does not end.
std::size_t EndOfTraceback(const std::vector<std::string>& lines, std::size_t start) {
  std::size_t i = start + 1;
  while (i < lines.size() && (lines[i].empty() || lines[i].front() == ' ')) ++i;
  return i < lines.size() && IsPythonError(lines[i]) ? i : lines.size();
}

std::string Choose(const std::vector<std::string>& lines) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (lines[i].find("Traceback (most recent call last)") == std::string::npos) continue;
    const std::size_t end = EndOfTraceback(lines, i);
    if (end < lines.size()) return Plain(lines[end]);
  }
  for (const std::string& line : lines) {
    if (SpeaksOfError(line)) return Plain(line);
  }
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (std::string plain = Plain(lines[i]); !plain.empty()) return plain;
  }
  return {};
}

}  // namespace

std::string LineThatMatters(std::string_view log, std::size_t max_bytes) {
  std::string line = Choose(Split(log, '\n'));
  if (line.size() <= max_bytes) return line;
  while (max_bytes > 0 && (static_cast<unsigned char>(line[max_bytes]) & 0xc0U) == 0x80U) {
    --max_bytes;
  }
  line.resize(max_bytes);
  return line;
}

}  // namespace slipway::deployer
