// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace slipway::http {

/// Whether two names of header fields are the same: in any case. Source: RFC 9110 section 5.1.
inline bool SameName(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

/// Which bytes may be in a token. Source: RFC 9110 section 5.6.2.
inline constexpr std::array<bool, 256> kTokenChars = [] {
  constexpr std::string_view kOthers = "-!#$%&'*+.^_`|~";
  std::array<bool, 256> is{};
  for (std::size_t byte = 0; byte < is.size(); ++byte) {
    const auto c = static_cast<char>(byte);
    is[byte] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kOthers.find(c) != std::string_view::npos;
  }
  return is;
}();

inline bool IsTokenChar(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

}  // namespace slipway::http
