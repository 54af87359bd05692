// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// A prefix that OCI layers reserve for removals. Source: OCI image-spec, layer.md, "Whiteouts".
inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueWhiteout = ".wh..wh..opq";

/// Splits a relative path; kInvalidArgument naming what is wrong unless every component is a
/// plain name of at most 255 bytes and there are at most 128 of them.
Result<std::vector<std::string>> SplitPath(std::string_view path);

/// The entries in the one form that is packed: paths relative to the root and sorted by their
/// bytes, parent folders added (0755). kInvalidArgument (id `Image.Spec`) for a path that is not
/// absolute, plain and UTF-8, for set-id bits, and for two entries that exclude each other.
Result<std::vector<FileEntry>> ArrangeEntries(std::vector<FileEntry> entries);

}  // namespace slipway::imagebuilder
