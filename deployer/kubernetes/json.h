// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"

namespace slipway::deployer {

/// Reading objects that a cluster sent, of which nothing is sure: what is absent or of another
/// type is null, empty, or the fallback.
const Json& KubeAt(const Json& object, std::initializer_list<const char*> path);
const Json& KubeList(const Json& value);
const Json& KubeList(Json&&) = delete;
std::string KubeText(const Json& object, const std::string& name);
std::int64_t KubeInt(const Json& object, const std::string& name, std::int64_t fallback);

/// Text as one line of at most 600 characters.
std::string KubeLine(std::string_view text);

}  // namespace slipway::deployer
