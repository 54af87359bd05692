// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"

namespace slipway::imagebuilder {

/// Lays an unpacked layer over `root`: whiteouts remove what lower layers put there, files are
/// hard-linked (copied where that is impossible), folders and links are made anew. Both folders
/// belong to the caller alone. Source: OCI image-spec, layer.md, "Applying Changesets".
Result<void> MergeLayer(const std::filesystem::path& layer, const std::filesystem::path& root);

/// kDataLoss (id `Image.Damaged`) naming a symbolic link in `root` that leads out of it.
Result<void> CheckLinks(const std::filesystem::path& root);

}  // namespace slipway::imagebuilder
