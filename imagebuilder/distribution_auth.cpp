// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/distribution_auth.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::size_t kFieldBytes = 16 << 10;

bool IsTokenChar(char c) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kOthers.find(c) != std::string_view::npos;
}

/// Reads a field from its front.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}
  bool AtEnd() const { return rest_.empty(); }
  void SkipBlanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  bool Take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string Token() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), IsTokenChar);
    std::string token(rest_.begin(), end);
    rest_.remove_prefix(token.size());
    return token;
  }
  std::string Value() {
    if (!Take('"')) return Token();
    std::string value;
    while (!rest_.empty() && !Take('"')) {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    return value;
  }

 private:
  std::string_view rest_;
};

struct Split3 {
  std::string_view scheme, authority, path;
};

Split3 SplitUrl(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string_view rest = url.substr(colon + 3);
  const std::size_t slash = rest.find_first_of("/?#");
  return {.scheme = url.substr(0, colon),
          .authority = rest.substr(0, slash),
          .path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash)};
}

}  // namespace

std::vector<Challenge> ParseChallenges(std::string_view field) {
  std::vector<Challenge> challenges;
  FieldReader reader(field.substr(0, kFieldBytes));
  while (true) {
    reader.SkipBlanks();
    while (reader.Take(',')) reader.SkipBlanks();
    if (reader.AtEnd()) return challenges;
    std::string word = reader.Token();
    if (word.empty()) return challenges;
    reader.SkipBlanks();
    if (reader.Take('=')) {
      reader.SkipBlanks();
      if (challenges.empty()) return challenges;
      challenges.back().parameters[ToLower(word)] = reader.Value();
    } else {
      challenges.push_back({.scheme = ToLower(word), .parameters = {}});
    }
  }
}

std::string OriginOf(std::string_view url) {
  const Split3 parts = SplitUrl(url);
  const std::string scheme = ToLower(parts.scheme);
  if ((scheme != "https" && scheme != "http") || parts.authority.empty()) return {};
  std::string host = ToLower(parts.authority.substr(parts.authority.rfind('@') + 1));
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (!has_port) host += scheme == "https" ? ":443" : ":80";
  return scheme + "://" + host;
}

bool IsLoopbackHost(std::string_view host) {
  const std::string name = ToLower(host.substr(0, host.rfind(':')));
  return name == "localhost" || name.ends_with(".localhost") ||
         (name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string::npos);
}

std::string ResolveUrl(std::string_view base, std::string_view location) {
  if (!OriginOf(location).empty()) return std::string(location);
  if (!location.starts_with('/') || location.starts_with("//")) return {};
  const Split3 parts = SplitUrl(base);
  return std::string(parts.scheme) + "://" + std::string(parts.authority) + std::string(location);
}

std::string WithQuery(std::string url, std::string_view name, std::string_view value) {
  url += url.find('?') == std::string::npos ? '?' : '&';
  url += std::string(name) + "=" + EncodePercent(value);
  return url;
}

}  // namespace slipway::imagebuilder
