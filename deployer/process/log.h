// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace slipway::deployer {

/// Once the file has more than `max_bytes`, moves its content to `<file>.1` and empties it. The
/// program that appends to it goes on; what it writes at that very moment may be lost.
Result<void> RotateLog(const std::filesystem::path& file, std::int64_t max_bytes);

/// The last `lines` lines of the file, going on in `<file>.1` where it was rotated; empty if
/// there is none.
Result<std::string> TailLog(const std::filesystem::path& file, std::int64_t lines);

/// The last line that is not empty, at most `max_bytes` of it.
std::string LastLogLine(const std::filesystem::path& file, std::size_t max_bytes = 500);

}  // namespace slipway::deployer
