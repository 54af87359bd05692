// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "base/blob_store.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Takes an image out of an OCI layout, a folder or a tar of one, into the store; every blob is
/// verified. Of several the one for `architecture`, and the first of those. `scratch` is a folder
/// for the moment. kInvalidArgument (id `Image.Base`) for what is no layout.
Result<Image> ImportLayout(const std::filesystem::path& place, BlobStore& blobs,
                           std::string_view architecture, const std::filesystem::path& scratch);

}  // namespace slipway::imagebuilder
