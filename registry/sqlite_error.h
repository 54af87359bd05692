// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"

struct sqlite3;

namespace slipway {

/// The failure that `connection` has just had with extended result code `code`, in our terms.
/// `connection` may be null where it could not be opened.
Error SqliteError(sqlite3* connection, int code, const std::filesystem::path& file);

}  // namespace slipway
