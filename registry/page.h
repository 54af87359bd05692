// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/registry.h"

namespace slipway::registry {

/// The opaque `next` of a page of `filter` whose last row has key `last`.
std::string PageToken(std::string_view workspace, const ModelFilter& filter, std::int64_t last);

/// The key in `filter.next`, which must have been made for the same workspace and filter.
/// kInvalidArgument (id `Request.Invalid`).
Result<std::int64_t> ReadPageToken(std::string_view workspace, const ModelFilter& filter);

}  // namespace slipway::registry
