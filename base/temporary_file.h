// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace slipway {

/// How names of the temporary files begin that WriteFileAtomic makes.
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

/// Removes what a program that was killed in WriteFileAtomic has left in the folder itself. Nobody
/// may be writing there. A folder that is not there is no error.
Result<void> RemoveTemporaryFiles(const std::filesystem::path& folder);

}  // namespace slipway
