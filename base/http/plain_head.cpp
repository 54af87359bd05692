// SPDX-License-Identifier: Apache-2.0
#include "base/http/plain_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/http/field_name.h"

namespace slipway::http {
namespace {

constexpr std::size_t kFieldsMax = 32;
constexpr std::size_t kLengthDigits = 15;
constexpr std::string_view kVersionAndEnd = " HTTP/1.1\r\n";

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsVisible(char c) { return c > ' ' && c <= '~'; }
bool IsText(char c) { return c >= ' ' && c <= '~'; }

/// Takes the longest front of such characters off `rest`.
template <class Is>
std::string_view TakeWhile(std::string_view& rest, Is is) {
  const auto end = std::find_if_not(rest.begin(), rest.end(), is);
  const std::string_view front = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(front.size());
  return front;
}

bool Take(std::string_view& rest, std::string_view text) {
  if (!rest.starts_with(text)) return false;
  rest.remove_prefix(text.size());
  return true;
}

struct Field {
  std::string_view name, value;
};

bool TakeField(std::string_view& rest, Field& field) {
  field.name = TakeWhile(rest, IsTokenChar);
  if (field.name.empty() || !Take(rest, ":")) return false;
  TakeWhile(rest, [](char c) { return c == ' '; });
  field.value = TakeWhile(rest, IsText);
  while (field.value.ends_with(' ')) field.value.remove_suffix(1);
  return Take(rest, "\r\n");
}

/// What the fields say of how the message goes on.
struct Framing {
  int hosts = 0;
  std::int64_t length = -1;

  /// False where the field takes a closer look.
  bool Note(const Field& field) {
    switch (field.name.size()) {
      case 4:
        if (SameName(field.name, "host")) ++hosts;
        return true;
      case 6:
        return !SameName(field.name, "expect");
      case 10:
        return !SameName(field.name, "connection") || SameName(field.value, "keep-alive");
      case 14:
        return !SameName(field.name, "content-length") || NoteLength(field.value);
      case 16:
        return !SameName(field.name, "proxy-connection");
      case 17:
        return !SameName(field.name, "transfer-encoding");
      default:
        return true;
    }
  }

 private:
  bool NoteLength(std::string_view value) {
    if (length >= 0 || value.size() > kLengthDigits || value.starts_with('-')) return false;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    return error == std::errc() && end == value.data() + value.size();
  }
};

}  // namespace

std::optional<PlainHead> ReadPlainHead(std::string_view bytes, Request& request) {
  std::string_view rest = bytes;
  const std::string_view method = TakeWhile(rest, IsUpper);
  if (method.empty() || !Take(rest, " ") || !rest.starts_with('/')) return std::nullopt;
  const std::string_view target = TakeWhile(rest, IsVisible);
  if (!Take(rest, kVersionAndEnd)) return std::nullopt;
  std::array<Field, kFieldsMax> fields;
  std::size_t count = 0;
  Framing framing;
  for (; !Take(rest, "\r\n"); ++count) {
    if (count == kFieldsMax || !TakeField(rest, fields[count])) return std::nullopt;
    if (!framing.Note(fields[count])) return std::nullopt;
  }
  if (framing.hosts != 1) return std::nullopt;
  request.method = method;
  request.target = target;
  for (const Field& field : std::span(fields).first(count)) {
    request.headers.Add(field.name, field.value);
  }
  return PlainHead{.bytes = bytes.size() - rest.size(), .content_length = framing.length};
}

}  // namespace slipway::http
