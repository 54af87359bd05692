// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"
#include "cli/remote.h"

namespace slipway::cli {

/// kDataLoss (id `Response.Invalid`) for a path that is absolute, empty or leaves its folder.
Result<void> CheckPathInside(std::string_view path);

/// Streams what `target` answers to a new file. kDataLoss (id `Blob.DigestMismatch`) if it has
/// not the digest, where one is given; then, and on every failure, the file is gone again.
Result<void> DownloadFile(Remote& remote, const std::string& target,
                          const std::filesystem::path& file, const std::optional<Digest>& digest);

/// Unpacks the files and folders of a tar archive into a new folder; anything else in it, and
/// paths that leave the folder, are kDataLoss. Nothing stays on failure.
Result<void> UnpackTar(const std::filesystem::path& archive, const std::filesystem::path& folder);

}  // namespace slipway::cli
