// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/result.h"
#include "imagebuilder/tar_reader.h"

namespace slipway::imagebuilder {

/// Unpacks one untrusted layer into the empty folder `root`, never following a symbolic link.
/// Owners and times are dropped; files lose their write permission, since they will be shared;
/// absolute link targets become relative, so that they mean the same from outside the root.
/// Whiteouts stay as empty files for MergeLayer. Nothing is synced to disk.
/// kDataLoss (id `Image.Damaged`) for an entry that no layer may have.
Result<void> ExtractLayer(TarReader& tar, const std::filesystem::path& root);

}  // namespace slipway::imagebuilder
