// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What installed packages tell of themselves. Untrusted text; nothing here can fail.
namespace slipway::imagebuilder {

/// Fields of one paragraph by lower-case name, those that come several times in their order; lines
/// that go on are joined.
using RecordFields = std::multimap<std::string, std::string>;

/// Paragraphs of a file as Debian's control files and Python's METADATA are, of the latter the
/// headers alone. Source: Debian policy 5.1; PyPA, "Core metadata specifications".
std::vector<RecordFields> ParseParagraphs(std::string_view text, bool headers_only);

/// The first value of a field; empty where there is none.
std::string FieldOf(const RecordFields& fields, const std::string& name);

/// Names in a Debian relation field: `libc6 (>= 2.3), a | b:any` -> libc6, a, b.
std::vector<std::string> RelationNames(std::string_view field);

}  // namespace slipway::imagebuilder
