// SPDX-License-Identifier: Apache-2.0
#include "registry/page.h"

#include <fmt/format.h>

#include <charconv>
#include <span>

#include "base/digest.h"
#include "base/text.h"
#include "registry/names.h"

namespace slipway::registry {
namespace {

constexpr std::size_t kMarkChars = 16;

std::string Mark(std::string_view workspace, const ModelFilter& filter) {
  std::string text =
      fmt::format("{}\n{}\n{}\n{}", workspace, filter.name, filter.latest, filter.ascending);
  for (const auto* pairs : {&filter.tags, &filter.properties}) {
    text += fmt::format("\n{}", pairs->size());
    for (const auto& [key, value] : *pairs) {
      text += fmt::format("\n{}:{}", key.size(), key);
      if (value) text += fmt::format("={}:{}", value->size(), *value);
    }
  }
  return std::string(Digest::OfText(text).hex().substr(0, kMarkChars));
}

}  // namespace

std::string PageToken(std::string_view workspace, const ModelFilter& filter, std::int64_t last) {
  const std::string text = fmt::format("{}:{}", Mark(workspace, filter), last);
  return EncodeBase64(std::as_bytes(std::span(text)));
}

Result<std::int64_t> ReadPageToken(std::string_view workspace, const ModelFilter& filter) {
  Error refused{
      .code = Code::kInvalidArgument,
      .message = fmt::format("next {} is not from a page of this list", Shown(filter.next)),
      .id = "Request.Invalid",
      .fix = "list again from the first page, without next"};
  const auto text = DecodeBase64(filter.next);
  if (!text) return refused;
  const std::string prefix = Mark(workspace, filter) + ":";
  if (!text->starts_with(prefix)) return refused;
  std::int64_t last = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data() + prefix.size(), end, last);
  if (error != std::errc() || stop != end || last < 1) return refused;
  return last;
}

}  // namespace slipway::registry
