// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <span>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

namespace slipway::log {
namespace {

std::atomic<Level>& MinLevel() {
  static std::atomic<Level> level{Level::kInfo};
  return level;
}

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO";
    case Level::kWarn:
      return "WARN";
    case Level::kError:
      return "ERROR";
  }
  return "ERROR";
}

void AppendEscaped(std::string& line, std::string_view text, bool quoted) {
  const bool utf8 = IsUtf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      line += fmt::format("\\x{:02x}", byte);
    } else if (quoted && (c == '"' || c == '\\')) {
      line += '\\';
      line += c;
    } else {
      line += c;
    }
  }
}

bool NeedsQuotes(std::string_view text) {
  constexpr std::string_view kSpecial = "=\"\\\x7f";
  return text.empty() || !IsUtf8(text) || std::any_of(text.begin(), text.end(), [&](char c) {
           return static_cast<unsigned char>(c) <= ' ' ||
                  kSpecial.find(c) != std::string_view::npos;
         });
}

}  // namespace

void SetLevel(Level level) { MinLevel().store(level, std::memory_order_relaxed); }

void Write(Level level, std::string_view message, Fields fields) {
  if (level < MinLevel().load(std::memory_order_relaxed)) return;
  std::string line = fmt::format("{} {} ", FormatTime(SystemClock().Now()), LevelName(level));
  AppendEscaped(line, message, false);
  for (const Field& field : fields) {
    line += ' ';
    AppendEscaped(line, field.name, false);
    line += '=';
    if (NeedsQuotes(field.value)) {
      line += '"';
      AppendEscaped(line, field.value, true);
      line += '"';
    } else {
      AppendEscaped(line, field.value, false);
    }
  }
  line += '\n';
  // There is nowhere to report that the log itself cannot be written.
  static_cast<void>(
      WriteAll(STDERR_FILENO, std::as_bytes(std::span(line.data(), line.size()))).has_value());
}

}  // namespace slipway::log
