// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "base/http/http.h"
#include "base/text.h"

namespace slipway::http {
namespace {

Error BadTarget(std::string_view why) {
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("request target {}", why),
               .id = "Request.BadTarget"};
}

Result<std::string> Decode(std::string_view text) {
  Result<std::string> decoded = DecodePercent(text);
  if (!decoded) return BadTarget(fmt::format("has a {}", decoded.error().message));
  if (decoded->find('\0') != std::string::npos) return BadTarget("holds a NUL");
  if (!IsUtf8(*decoded)) return BadTarget("is not UTF-8");
  return decoded;
}

/// Whether the segment, or a part of it between encoded slashes, walks through folders.
bool HasDots(const std::string& segment) {
  const std::vector<std::string> parts = Split(segment, '/');
  return std::any_of(parts.begin(), parts.end(),
                     [](const std::string& part) { return part == "." || part == ".."; });
}

Result<std::vector<std::string>> DecodeSegments(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string& raw : Split(path, '/')) {
    if (raw.empty()) continue;
    std::string segment = TRY(Decode(raw));
    if (HasDots(segment)) return BadTarget("has a '.' or '..' segment");
    segments.push_back(std::move(segment));
  }
  return segments;
}

Result<std::pair<std::string, std::string>> DecodeParameter(std::string text) {
  std::replace(text.begin(), text.end(), '+', ' ');
  const std::size_t at = text.find('=');
  std::string name = TRY(Decode(std::string_view(text).substr(0, at)));
  if (at == std::string::npos) return std::pair(std::move(name), std::string());
  std::string value = TRY(Decode(std::string_view(text).substr(at + 1)));
  return std::pair(std::move(name), std::move(value));
}

}  // namespace

std::string Target::Query(std::string_view name, std::string_view fallback) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::string(fallback);
}

Result<Target> ParseTarget(std::string_view target) {
  const bool is_printable = std::all_of(target.begin(), target.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
  if (!is_printable) return BadTarget("holds a space or control character");
  if (target == "*") return Target{.path = "*", .segments = {}, .query = {}};
  if (!target.starts_with('/')) return BadTarget("does not begin with '/'");
  if (target.find('#') != std::string_view::npos) return BadTarget("holds a fragment");
  const std::size_t mark = target.find('?');
  Target parsed{.path = std::string(target.substr(0, mark)), .segments = {}, .query = {}};
  parsed.segments = TRY(DecodeSegments(parsed.path));
  if (mark == std::string_view::npos) return parsed;
  for (std::string& text : Split(target.substr(mark + 1), '&')) {
    if (!text.empty()) parsed.query.push_back(TRY(DecodeParameter(std::move(text))));
  }
  return parsed;
}

}  // namespace slipway::http
