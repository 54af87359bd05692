// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace slipway::log {

/// A named value of a log line. Numbers and bools are written bare, text quoted where needed.
struct Field {
  Field(std::string_view name_in, std::string_view value_in) : name(name_in), value(value_in) {}
  Field(std::string_view name_in, const char* value_in) : name(name_in), value(value_in) {}
  Field(std::string_view name_in, const std::string& value_in) : name(name_in), value(value_in) {}
  template <class T>
  requires std::is_arithmetic_v<T> Field(std::string_view name_in, T number)
      : name(name_in), value(std::to_string(number)) {}
  std::string name;
  std::string value;
};
using Fields = std::initializer_list<Field>;

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };

/// Lines below this level are dropped; kInfo at first.
void SetLevel(Level level);

/// One line on standard error: time, level, message, `name=value` fields; newlines are escaped,
/// and it is written with one system call. Never pass secrets or payloads. Thread-safe.
void Write(Level level, std::string_view message, Fields fields);

inline void Debug(std::string_view message, Fields fields = {}) {
  Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, Fields fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warn(std::string_view message, Fields fields = {}) {
  Write(Level::kWarn, message, fields);
}
inline void Failure(std::string_view message, Fields fields = {}) {
  Write(Level::kError, message, fields);
}

}  // namespace slipway::log
