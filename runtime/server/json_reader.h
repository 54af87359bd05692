// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace slipway::server {

/// Reads JSON text (RFC 8259) from front to back without building a document. Beyond the
/// standard, `NaN`, `Infinity` and `-Infinity` count as numbers, because Python's `json` writes
/// them. Nesting is bounded by limits::kJsonDepth. A copy remembers a place to read again from.
/// Errors are kInvalidArgument and say where. The text must outlive the reader. Not thread-safe.
class JsonReader {
 public:
  enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull, kNothing };

  explicit JsonReader(std::string_view text) : text_(text) {}

  /// What comes next; kNothing at the end and where no value can begin.
  Kind Peek();

  Result<void> BeginObject();
  /// Puts the name of the next member into `name`; false at the object's end, which it passes.
  Result<bool> NextMember(std::string& name);
  Result<void> BeginArray();
  /// Whether another item follows; at the array's end, which it passes, false.
  Result<bool> NextItem();

  Result<std::string> String();
  /// The characters of a number, checked against the grammar.
  Result<std::string_view> Number();
  Result<std::int64_t> Int();
  Result<bool> Bool();
  Result<void> Null();
  /// Passes over one value, whatever it is.
  Result<void> Skip();
  /// kInvalidArgument if anything but white space is left.
  Result<void> Finish();

  std::size_t position() const { return position_; }
  std::string_view text() const { return text_; }
  /// An error about the value that comes next: `expected WANTED at byte N, got …`.
  Error Unexpected(std::string_view wanted);

  /// Allocation-free forms for long runs of values: the caller reports the failure.
  /// A number that begins at `at` ends before the result; `at` itself if there is none.
  static std::size_t EndOfNumber(std::string_view text, std::size_t at);
  static std::size_t SkipSpace(std::string_view text, std::size_t at);
  /// Goes on from `position`, where a value has just ended.
  void MoveTo(std::size_t position) { position_ = position; }

 private:
  Result<void> Open(char bracket, std::string_view wanted);
  Result<bool> Next(char close);
  Result<void> AppendEscape(std::string& out);
  Result<std::uint32_t> FourHex();
  Result<void> SkipString();

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t depth_ = 0;
  std::bitset<static_cast<std::size_t>(limits::kJsonDepth) + 1> began_;
};

}  // namespace slipway::server
