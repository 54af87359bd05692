// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// What every root file system of ours has beside programs: the user, name lookup, `/tmp`, the
/// folder of the application.
std::vector<FileEntry> SystemFiles();

}  // namespace slipway::imagebuilder
