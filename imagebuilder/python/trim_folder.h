// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace slipway::imagebuilder {

/// Removes the files below `folder` that were read or written longest ago until what is left has at
/// most `max_bytes`; says how many bytes that freed. For caches, whose readers do without what is
/// gone. Links are not followed; a folder that is not there is empty.
Result<std::int64_t> TrimFolder(const std::filesystem::path& folder, std::int64_t max_bytes);

}  // namespace slipway::imagebuilder
