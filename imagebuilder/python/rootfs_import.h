// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// Whether a folder is the root of a system, as debootstrap and `tar -x` leave one, rather than an
/// OCI layout.
bool IsRootfs(const std::filesystem::path& folder);

/// Makes an image of one layer of the folder. What a running system puts into /dev, /proc, /sys,
/// /run and /tmp is left out, set-id bits are dropped, everything belongs to root; the same files
/// give the same digest. kInvalidArgument (id `Image.Base`) for what no layer can hold.
Result<Image> ImportRootfs(const std::filesystem::path& folder, std::string_view architecture,
                           BuildContext& context);

}  // namespace slipway::imagebuilder
