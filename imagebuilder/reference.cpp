// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kTagChars = 128;
constexpr std::size_t kNameChars = 255;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsAlnum(char c) { return IsLower(c) || IsDigit(c) || (c >= 'A' && c <= 'Z'); }

/// Lower-case words between separators: `.`, `_`, `__` or any number of `-`.
bool IsPathComponent(std::string_view text) {
  std::size_t at = 0;
  const auto word = [&] {
    const std::size_t start = at;
    while (at < text.size() && (IsLower(text[at]) || IsDigit(text[at]))) ++at;
    return at > start;
  };
  if (!word()) return false;
  while (at < text.size()) {
    if (text[at] == '-') {
      while (at < text.size() && text[at] == '-') ++at;
    } else if (text.substr(at, 2) == "__") {
      at += 2;
    } else if (text[at] == '.' || text[at] == '_') {
      ++at;
    } else {
      return false;
    }
    if (!word()) return false;
  }
  return true;
}

bool IsHost(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "0" : text.substr(colon + 1);
  const std::string_view host = text.substr(0, colon);
  return !host.empty() && !port.empty() && std::ranges::all_of(port, IsDigit) &&
         std::ranges::all_of(host, [](char c) { return IsAlnum(c) || c == '-' || c == '.'; }) &&
         IsAlnum(host.front()) && IsAlnum(host.back());
}

bool IsName(std::string_view text) {
  const std::vector<std::string> parts = Split(text, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool may_be_host = i == 0 && parts.size() > 1;
    if (!IsPathComponent(parts[i]) && !(may_be_host && IsHost(parts[i]))) return false;
  }
  return text.size() <= kNameChars;
}

bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= kTagChars && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text,
                             [](char c) { return IsAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

Result<Reference> ParseReference(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t slash = text.rfind('/');
  const bool tagged =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  Reference reference{.name = std::string(tagged ? text.substr(0, colon) : text),
                      .tag = tagged ? std::string(text.substr(colon + 1)) : "latest"};
  if (IsName(reference.name) && IsTag(reference.tag)) return reference;
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("{}: not a reference that container engines accept", text),
               .id = "Image.Reference",
               .fix = "use lower-case letters, digits and single . _ - between them, then :TAG"};
}

}  // namespace slipway::imagebuilder
