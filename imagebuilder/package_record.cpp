// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/package_record.h"

#include <utility>

#include "base/text.h"

namespace slipway::imagebuilder {

std::vector<RecordFields> ParseParagraphs(std::string_view text, bool headers_only) {
  std::vector<RecordFields> paragraphs(1);
  RecordFields::iterator last = paragraphs.back().end();
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      if (headers_only && !paragraphs.back().empty()) break;
      if (!paragraphs.back().empty()) paragraphs.emplace_back();
      last = paragraphs.back().end();
      continue;
    }
    RecordFields& fields = paragraphs.back();
    if (line.front() == ' ' || line.front() == '\t') {
      if (last != fields.end()) last->second.append(" ").append(Trim(line));
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    last = fields.emplace(ToLower(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
  if (paragraphs.back().empty()) paragraphs.pop_back();
  return paragraphs;
}

std::string FieldOf(const RecordFields& fields, const std::string& name) {
  const auto found = fields.lower_bound(name);
  return found == fields.end() || found->first != name ? std::string() : found->second;
}

std::vector<std::string> RelationNames(std::string_view field) {
  std::vector<std::string> names;
  for (const std::string& group : Split(field, ',')) {
    for (const std::string& one : Split(group, '|')) {
      const std::string_view name = Trim(one);
      const std::string_view plain = name.substr(0, name.find_first_of(" (:[<"));
      if (!plain.empty()) names.emplace_back(plain);
    }
  }
  return names;
}

}  // namespace slipway::imagebuilder
