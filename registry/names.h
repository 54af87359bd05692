// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::registry {

/// Text from outside as it may stand in a one-line message: short, printable, in quotes.
std::string Shown(std::string_view text);

/// A relative path with `/` that stays inside its folder. kInvalidArgument (id `Model.File`).
Result<void> CheckPath(std::string_view path);

/// kInvalidArgument (id `Model.Field`) naming `what` if it is too long or no clean UTF-8.
Result<void> CheckText(std::string_view what, std::string_view text);

/// Keys and values of tags or properties, and how many. kInvalidArgument (id `Model.Field`).
Result<void> CheckTextMap(std::string_view what, const std::map<std::string, std::string>& map);

/// A name that can be told from a version number and from `latest`.
Result<void> CheckAlias(std::string_view alias);

}  // namespace slipway::registry
