// SPDX-License-Identifier: Apache-2.0
#include "registry/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "registry/registry.h"

namespace slipway::registry {
namespace {

constexpr std::size_t kShownChars = 80;
constexpr std::int64_t kPathBytes = 1024;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordChar(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Error Invalid(std::string_view id, std::string message, std::string fix = {}) {
  return {.code = Code::kInvalidArgument,
          .message = std::move(message),
          .id = std::string(id),
          .fix = std::move(fix)};
}

std::string_view WhyNotName(std::string_view name) {
  if (name.empty()) return "is empty";
  if (std::cmp_greater(name.size(), limits::kNameChars)) return "has more than 255 characters";
  if (!IsWordChar(name.front())) return "does not begin with a letter or digit";
  const bool clean = std::ranges::all_of(
      name, [](char c) { return IsWordChar(c) || c == '-' || c == '_' || c == '.'; });
  return clean ? "" : "may only have letters, digits, '-', '_' and '.'";
}

std::string_view WhyNotPath(std::string_view path) {
  if (path.empty()) return "is empty";
  if (std::cmp_greater(path.size(), kPathBytes)) return "has more than 1024 bytes";
  if (path.starts_with('/')) return "is absolute";
  if (std::ranges::any_of(path, IsControl)) return "has control characters";
  if (path.find('\\') != std::string_view::npos) return "has a backslash; folders end with /";
  if (!IsUtf8(path)) return "is not UTF-8";
  for (const std::string& part : Split(path, '/')) {
    if (part.empty()) return "has an empty part";
    if (part == "." || part == "..") return "has a part . or ..";
    if (std::cmp_greater(part.size(), limits::kNameChars))
      return "has a part of more than 255 bytes";
  }
  return "";
}

}  // namespace

std::string Shown(std::string_view text) {
  std::string shown = "\"";
  const bool utf8 = IsUtf8(text);
  for (const char c : text.substr(0, kShownChars)) {
    const bool plain = !IsControl(c) && (utf8 || static_cast<unsigned char>(c) < 0x80);
    shown += plain ? c : '?';
  }
  if (text.size() > kShownChars) {
    while (!IsUtf8(shown)) shown.pop_back();
    shown += "…";
  }
  return shown + "\"";
}

Result<void> CheckName(std::string_view what, std::string_view name) {
  const std::string_view why = WhyNotName(name);
  if (why.empty()) return {};
  return Invalid("Name.Invalid", fmt::format("{} {} {}", what, Shown(name), why),
                 "choose a name like my-model_2.1");
}

Result<void> CheckPath(std::string_view path) {
  const std::string_view why = WhyNotPath(path);
  if (why.empty()) return {};
  return Invalid("Model.File", fmt::format("path {} of a model file {}", Shown(path), why),
                 "give paths relative to the model's folder, like weights/part1.bin");
}

Result<void> CheckText(std::string_view what, std::string_view text) {
  if (std::cmp_greater(text.size(), limits::kTextChars)) {
    return Invalid("Model.Field", fmt::format("{} has {} bytes; at most {} are kept", what,
                                              text.size(), limits::kTextChars));
  }
  if (!IsUtf8(text) || text.find('\0') != std::string_view::npos) {
    return Invalid("Model.Field", fmt::format("{} {} is not UTF-8 text", what, Shown(text)));
  }
  return {};
}

Result<void> CheckTextMap(std::string_view what, const std::map<std::string, std::string>& map) {
  if (std::cmp_greater(map.size(), limits::kTags)) {
    return Invalid("Model.Field",
                   fmt::format("{} {}s; at most {} are kept", map.size(), what, limits::kTags));
  }
  for (const auto& [key, value] : map) {
    const bool clean = !key.empty() && std::cmp_less_equal(key.size(), limits::kNameChars) &&
                       IsUtf8(key) && std::ranges::none_of(key, IsControl);
    if (!clean) {
      return Invalid("Model.Field",
                     fmt::format("{} name {} is not 1 to {} printable bytes of UTF-8", what,
                                 Shown(key), limits::kNameChars));
    }
    TRY(CheckText(fmt::format("value of {} {}", what, Shown(key)), value));
  }
  return {};
}

Result<void> CheckAlias(std::string_view alias) {
  TRY(CheckName("alias", alias));
  if (alias == "latest" || std::ranges::all_of(alias, IsDigit)) {
    return Invalid("Name.Invalid", fmt::format("alias {} reads like a version", Shown(alias)),
                   "choose a word like production");
  }
  return {};
}

}  // namespace slipway::registry
