// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Moves the folder `made`, whose folder `tree` must have the content of the layer, to where
/// Unpack looks for it below `shared`; nothing happens where there is one already.
Result<void> KeepLayerTree(const Layer& layer, const std::filesystem::path& made,
                           const std::filesystem::path& shared);

/// Makes the tree of the layer below `shared`, unless it is there.
Result<void> UnpackLayer(const BlobStore& blobs, const Layer& layer,
                         const std::filesystem::path& shared);

}  // namespace slipway::imagebuilder
