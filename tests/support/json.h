// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"

namespace slipway::testing {

/// What the JSON library itself makes of a text or a file's, without Slipway's limits: a discarded
/// value if it is no JSON.
Json ParsedJson(std::string_view text);
Json ParsedJsonFile(const std::filesystem::path& file);

}  // namespace slipway::testing

NLOHMANN_JSON_NAMESPACE_BEGIN
/// How GoogleTest prints a value that is not the expected one.
void PrintTo(const json& value, std::ostream* out);
NLOHMANN_JSON_NAMESPACE_END
