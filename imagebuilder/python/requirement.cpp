// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/requirement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kOperatorChars = "<>=!~";
constexpr std::array<std::string_view, 8> kOperators = {
    "===", "==", "~=", "!=", "<=", ">=", "<", ">"};

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message)};
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

bool IsAlnum(char c) { return IsNameChar(c) && c != '-' && c != '_' && c != '.'; }

bool IsName(std::string_view text) {
  return !text.empty() && IsAlnum(text.front()) && IsAlnum(text.back()) &&
         std::ranges::all_of(text, IsNameChar);
}

bool IsVersion(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return IsNameChar(c) || c == '*' || c == '+' || c == '!';
  });
}

struct Clause {
  std::string_view comparison;
  std::string_view version;
};

/// `>=1.2` into its parts; the operator is empty where there is none.
Clause SplitClause(std::string_view text) {
  for (const std::string_view comparison : kOperators) {
    if (text.starts_with(comparison)) {
      return {.comparison = comparison, .version = Trim(text.substr(comparison.size()))};
    }
  }
  return {.comparison = {}, .version = text};
}

Result<std::string> CleanSpecifier(std::string_view text) {
  std::vector<std::string> clauses;
  for (const std::string& part : Split(text, ',')) {
    const Clause clause = SplitClause(Trim(part));
    if (clause.comparison.empty() || !IsVersion(clause.version)) {
      return Bad(fmt::format("'{}' is no version condition such as ==1.2 or >=1,<2", Trim(part)));
    }
    clauses.push_back(fmt::format("{}{}", clause.comparison, clause.version));
  }
  return Join(clauses, ",");
}

bool HasScheme(std::string_view text) {
  const std::size_t at = text.find("://");
  return at != std::string_view::npos && at > 0 &&
         std::ranges::all_of(text.substr(0, at), [](char c) { return IsNameChar(c) || c == '+'; });
}

/// Numbers of a release: `1.16.2` -> {1, 16, 2}; a wildcard ends it.
Result<std::vector<std::int64_t>> Release(std::string_view version) {
  std::vector<std::int64_t> numbers;
  for (const std::string& part : Split(version, '.')) {
    if (part == "*") return numbers;
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (failed != std::errc() || end == part.data()) {
      return Bad(fmt::format("'{}' is no version of numbers", version));
    }
    numbers.push_back(number);
    if (end != part.data() + part.size()) return numbers;
  }
  return numbers;
}

std::strong_ordering Compare(std::vector<std::int64_t> a, std::vector<std::int64_t> b) {
  const std::size_t count = std::max(a.size(), b.size());
  a.resize(count);
  b.resize(count);
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
}

bool HasPrefix(std::vector<std::int64_t> version, const std::vector<std::int64_t>& prefix) {
  version.resize(std::max(version.size(), prefix.size()));
  return std::equal(prefix.begin(), prefix.end(), version.begin());
}

Result<bool> Holds(std::string_view version, std::string_view text) {
  const Clause clause = SplitClause(Trim(text));
  const std::vector<std::int64_t> have = TRY(Release(version));
  std::vector<std::int64_t> wanted = TRY(Release(clause.version));
  const auto order = Compare(have, wanted);
  const bool wildcard = clause.version.ends_with(".*");
  if (clause.comparison == "!=") return wildcard ? !HasPrefix(have, wanted) : order != 0;
  if (clause.comparison == "<") return order < 0;
  if (clause.comparison == "<=") return order <= 0;
  if (clause.comparison == ">") return order > 0;
  if (clause.comparison == ">=") return order >= 0;
  if (clause.comparison == "~=") {
    if (wanted.size() > 1) wanted.pop_back();
    return order >= 0 && HasPrefix(have, wanted);
  }
  return wildcard ? HasPrefix(have, wanted) : order == 0;
}

}  // namespace

std::string NormalName(std::string_view name) {
  std::string normal;
  for (const char c : ToLower(name)) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator) {
      normal += c;
    } else if (!normal.ends_with('-')) {
      normal += '-';
    }
  }
  return normal;
}

std::string Requirement::text() const {
  std::string line = name.empty() ? url : name + extras;
  if (!name.empty() && !url.empty()) line += " @ " + url;
  line += specifier;
  if (!marker.empty()) line += " ; " + marker;
  return line;
}

Result<Requirement> ParseRequirement(std::string_view line) {
  std::string_view text = Trim(line);
  Requirement requirement;
  if (HasScheme(text)) {
    requirement.url = text.substr(0, text.find(' '));
    const std::size_t egg = requirement.url.find("#egg=");
    if (egg != std::string::npos) {
      const std::string name = requirement.url.substr(egg + 5);
      requirement.name = name.substr(0, name.find_first_of("&["));
    }
    return requirement;
  }
  const std::size_t semicolon = text.find(';');
  if (semicolon != std::string_view::npos) {
    requirement.marker = Trim(text.substr(semicolon + 1));
    if (requirement.marker.empty()) return Bad("nothing follows the ;");
    text = Trim(text.substr(0, semicolon));
  }
  const auto end = std::ranges::find_if_not(text, IsNameChar);
  const auto length = static_cast<std::size_t>(end - text.begin());
  requirement.name = text.substr(0, length);
  if (!IsName(requirement.name)) return Bad(fmt::format("'{}' is no package name", Trim(line)));
  text = Trim(text.substr(length));
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return Bad("the list of extras has no ]");
    for (const std::string& extra : Split(text.substr(1, close - 1), ',')) {
      if (!IsName(Trim(extra))) return Bad(fmt::format("'{}' is no name of an extra", extra));
      requirement.extras += (requirement.extras.empty() ? "[" : ",") + std::string(Trim(extra));
    }
    requirement.extras += ']';
    text = Trim(text.substr(close + 1));
  }
  if (text.empty()) return requirement;
  if (text.starts_with('@')) {
    requirement.url = Trim(text.substr(1));
    if (!HasScheme(requirement.url)) return Bad(fmt::format("'{}' is no URL", requirement.url));
    return requirement;
  }
  if (text.starts_with('(') && text.ends_with(')')) text = text.substr(1, text.size() - 2);
  requirement.specifier = TRY(CleanSpecifier(text));
  return requirement;
}

Result<CondaSpec> ParseCondaSpec(std::string_view given) {
  std::string_view text = Trim(given);
  CondaSpec spec;
  const std::size_t colons = text.find("::");
  if (colons != std::string_view::npos) {
    spec.channel = Trim(text.substr(0, colons));
    text = Trim(text.substr(colons + 2));
  }
  const auto end = std::ranges::find_if_not(text, IsNameChar);
  const auto length = static_cast<std::size_t>(end - text.begin());
  spec.name = text.substr(0, length);
  if (!IsName(spec.name)) return Bad(fmt::format("'{}' is no package name", Trim(given)));
  text = Trim(text.substr(length));
  if (text.starts_with('[')) {
    return Bad(fmt::format("'{}': conditions in brackets are not understood", Trim(given)));
  }
  if (text.empty()) return spec;
  std::string version;
  bool last_was_operator = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    const bool joins = kOperatorChars.find(c) != std::string_view::npos || c == ',' || c == '|';
    if (c == ' ') {
      const std::string_view rest = Trim(text.substr(at));
      const bool goes_on = last_was_operator || version.empty() ||
                           (!rest.empty() && (rest.front() == ',' || rest.front() == '|'));
      if (!goes_on) break;
      continue;
    }
    const bool first = version.empty() || last_was_operator;
    if (c == '=' && !first && !version.starts_with('!')) break;
    if (!joins && !IsVersion(std::string_view(&c, 1))) {
      return Bad(fmt::format("'{}': unexpected '{}' in the version", Trim(given), c));
    }
    version += c;
    last_was_operator = joins;
  }
  if (last_was_operator) return Bad(fmt::format("'{}': the version is missing", Trim(given)));
  spec.version = version;
  spec.build = Trim(text.substr(at));
  if (spec.build.starts_with('=')) spec.build.erase(0, 1);
  return spec;
}

Result<std::string> PipSpecifier(const CondaSpec& spec) {
  if (spec.version.empty() || spec.version == "*" || spec.version == "=*") return std::string();
  if (spec.version.find('|') != std::string::npos) {
    return Bad(
        fmt::format("'{}{}': alternatives with | cannot be said to pip", spec.name, spec.version));
  }
  std::vector<std::string> clauses;
  for (const std::string& part : Split(spec.version, ',')) {
    std::string_view text = Trim(part);
    const bool fuzzy = text.starts_with('=') && !text.starts_with("==");
    if (fuzzy) text.remove_prefix(1);
    const Clause clause = SplitClause(text);
    if (!IsVersion(clause.version)) return Bad(fmt::format("'{}' is no version", part));
    if (!clause.comparison.empty()) {
      clauses.push_back(std::string(text));
    } else if (clause.version.ends_with('*')) {
      std::string version(clause.version);
      if (!version.ends_with(".*")) version.insert(version.size() - 1, ".");
      clauses.push_back("==" + version);
    } else {
      clauses.push_back(fmt::format("=={}{}", clause.version, fuzzy ? ".*" : ""));
    }
  }
  return Join(clauses, ",");
}

Result<bool> Satisfies(std::string_view version, std::string_view specifier) {
  if (Trim(specifier).empty()) return true;
  for (const std::string& part : Split(specifier, ',')) {
    if (!TRY(Holds(version, part))) return false;
  }
  return true;
}

}  // namespace slipway::imagebuilder
