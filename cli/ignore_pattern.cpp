// SPDX-License-Identifier: Apache-2.0
#include "cli/ignore_pattern.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace slipway::cli {
namespace {

using Set = std::bitset<256>;

unsigned char Byte(char c) { return static_cast<unsigned char>(c); }

Set AllButSlash() {
  Set set;
  set.set();
  set.reset(Byte('/'));
  return set;
}

/// Without the spaces at the end that no backslash keeps.
std::string_view WithoutEnd(std::string_view line) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '\\' && at + 1 < line.size()) {
      ++at;
      end = at + 1;
    } else if (line[at] != ' ') {
      end = at + 1;
    }
  }
  return line.substr(0, end);
}

/// `alpha` of `[:alpha:]`; nothing for a name that there is not.
std::optional<Set> NamedClass(std::string_view name) {
  using Test = int (*)(int);
  struct Named {
    std::string_view name;
    Test test;
  };
  static constexpr Named kAll[] = {
      {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank},
      {"cntrl", std::iscntrl}, {"digit", std::isdigit}, {"graph", std::isgraph},
      {"lower", std::islower}, {"print", std::isprint}, {"punct", std::ispunct},
      {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
  const auto found = std::ranges::find(kAll, name, &Named::name);
  if (found == std::end(kAll)) return std::nullopt;
  Set set;
  for (int c = 0; c < 128; ++c) set.set(static_cast<std::size_t>(c), found->test(c) != 0);
  return set;
}

/// A character of a bracket, of which a backslash may be in front.
std::optional<char> ReadMember(std::string_view pattern, std::size_t& at) {
  if (pattern[at] == '\\') ++at;
  if (at >= pattern.size()) return std::nullopt;
  return pattern[at++];
}

}  // namespace

std::optional<Set> IgnorePattern::ReadBracket(std::string_view pattern, std::size_t& at) {
  ++at;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  Set set;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    if (pattern.substr(at).starts_with("[:")) {
      const std::size_t end = pattern.find(']', at + 2);
      if (end == std::string_view::npos) return std::nullopt;
      if (end > at + 2 && pattern[end - 1] == ':') {
        const auto named = NamedClass(pattern.substr(at + 2, end - at - 3));
        if (!named) return std::nullopt;
        set |= *named;
        at = end + 1;
        continue;
      }
    }
    const std::optional<char> low = ReadMember(pattern, at);
    if (!low) return std::nullopt;
    std::optional<char> high = low;
    const bool range = at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']';
    if (range) high = ReadMember(pattern, ++at);
    if (!high) return std::nullopt;
    for (unsigned c = Byte(*low); c <= Byte(*high); ++c) set.set(c);
  }
  if (at >= pattern.size()) return std::nullopt;
  ++at;
  if (negated) set.flip();
  set.reset(Byte('/'));
  return set;
}

std::optional<std::vector<IgnorePattern::Piece>> IgnorePattern::ReadPieces(
    std::string_view pattern) {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '*') {
      const std::size_t end = std::min(pattern.find_first_not_of('*', at), pattern.size());
      const bool whole = end - at >= 2 && (at == 0 || pattern[at - 1] == '/');
      if (whole && end == pattern.size()) {
        pieces.push_back({.kind = Piece::Kind::kRest});
      } else if (whole && pattern[end] == '/') {
        pieces.push_back({.kind = Piece::Kind::kFolders});
        at = end + 1;
        continue;
      } else {
        pieces.push_back({.kind = Piece::Kind::kStar});
      }
      at = end;
    } else if (c == '[') {
      const std::optional<Set> set = ReadBracket(pattern, at);
      if (!set) return std::nullopt;
      pieces.push_back({.set = *set});
    } else if (c == '?') {
      pieces.push_back({.set = AllButSlash()});
      ++at;
    } else {
      if (c == '\\' && ++at == pattern.size()) return std::nullopt;
      pieces.push_back({});
      pieces.back().set.set(Byte(pattern[at++]));
    }
  }
  return pieces;
}

std::optional<IgnorePattern> IgnorePattern::Parse(std::string_view line) {
  line = WithoutEnd(line);
  if (line.empty() || line.starts_with('#')) return std::nullopt;
  IgnorePattern pattern;
  pattern.takes_in_ = line.starts_with('!');
  if (pattern.takes_in_) line.remove_prefix(1);
  pattern.folders_only_ = line.ends_with('/');
  if (pattern.folders_only_) line.remove_suffix(1);
  pattern.of_name_ = line.find('/') == std::string_view::npos;
  if (line.starts_with('/')) line.remove_prefix(1);
  if (!line.empty()) pattern.pieces_ = ReadPieces(line);
  return pattern;
}

bool IgnorePattern::Fits(std::string_view path, bool is_folder) const {
  if (!pieces_ || (folders_only_ && !is_folder)) return false;
  return FitsWhole(of_name_ ? path.substr(path.rfind('/') + 1) : path);
}

bool IgnorePattern::FitsWhole(std::string_view text) const {
  using Kind = Piece::Kind;
  // Where in the pattern one can be, after what was read: before a piece, or inside it, which
  // counts for kFolders (in a folder's name) and kRest (behind its first character).
  const std::size_t count = pieces_->size();
  std::vector<bool> before(count + 1), inside(count + 1);
  const auto settle = [&] {
    for (std::size_t i = 0; i < count; ++i) {
      const Kind kind = (*pieces_)[i].kind;
      const bool passes = kind == Kind::kStar || kind == Kind::kFolders;
      if ((before[i] && passes) || (inside[i] && kind == Kind::kRest)) before[i + 1] = true;
    }
  };
  before[0] = true;
  settle();
  for (const char c : text) {
    std::vector<bool> next_before(count + 1), next_inside(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      if (!before[i] && !inside[i]) continue;
      const Piece& piece = (*pieces_)[i];
      const bool slash = c == '/';
      if (piece.kind == Kind::kOne && before[i] && piece.set.test(Byte(c))) {
        next_before[i + 1] = true;
      } else if (piece.kind == Kind::kStar && before[i] && !slash) {
        next_before[i] = true;
      } else if (piece.kind == Kind::kRest) {
        next_inside[i] = true;
      } else if (piece.kind == Kind::kFolders) {
        if (!slash) next_inside[i] = true;
        if (slash && inside[i]) next_before[i] = true;
      }
    }
    before = std::move(next_before);
    inside = std::move(next_inside);
    settle();
  }
  return before[count];
}

}  // namespace slipway::cli
