// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/digest.h"
#include "base/result.h"

namespace slipway::imagebuilder {

/// What tells whether a file was written since it was last looked at, without reading it.
struct FileState {
  std::int64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileState&) const = default;
};

/// kNotFound and what else SystemError gives.
Result<FileState> StateOf(const std::filesystem::path& file);

/// Whether a later write would show: file times advance in ticks, and one within the tick of the
/// last change would not.
bool IsSettled(const FileState& state);

/// The file's state as soon as a later write would show in it: the tick of its last change is
/// waited out. Nothing where the file is written all the time, or was changed in the future.
Result<std::optional<FileState>> SettledState(const std::filesystem::path& file);

/// A file's digest, read now, and the state that it holds for; none where the file was written
/// meanwhile or may be without showing it.
struct StatedDigest {
  Digest digest;
  std::optional<FileState> state = {};
};
/// `before`: the file's state as StateOf gave it just now.
Result<StatedDigest> DigestOf(const std::filesystem::path& file, const FileState& before);

}  // namespace slipway::imagebuilder
