// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::imagebuilder {

/// What a registry asks for: `Bearer realm="https://auth.example.com/token",service="…"`.
struct Challenge {
  std::string scheme;  ///< lower case
  std::map<std::string, std::string> parameters;
};

/// The challenges of a WWW-Authenticate field, in order; what cannot be read ends the list. Pure.
/// Source: RFC 9110 section 11.6.1.
std::vector<Challenge> ParseChallenges(std::string_view field);

/// Scheme, host and port of a URL, the port written out: `https://registry.example.com:443`; empty
/// for what is no http or https URL.
std::string OriginOf(std::string_view url);

/// Whether the host is this machine, where plain HTTP harms nobody.
bool IsLoopbackHost(std::string_view host);

/// A URL, or a path on the same origin, as seen from `base`; empty if it is neither.
std::string ResolveUrl(std::string_view base, std::string_view location);

/// Adds a query parameter, its value encoded.
std::string WithQuery(std::string url, std::string_view name, std::string_view value);

}  // namespace slipway::imagebuilder
