// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace slipway::cli {

/// A file of settings as JSON: YAML, of which JSON is a part, with the types of YAML's core schema.
/// kInvalidArgument (id `Config.Invalid`) naming the line, also for keys that come twice, for what
/// is no mapping, and for more than a settings file can have. kNotFound.
Result<Json> ReadConfigFile(const std::filesystem::path& file);
/// The same of a text; errors begin with `name`.
Result<Json> ParseConfig(std::string_view text, std::string_view name);

}  // namespace slipway::cli
