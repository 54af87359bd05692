// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace slipway::runtime {

/// Folders of the control groups (version 2) that this process is in: the outermost and its own.
/// Files in them may be absent.
std::vector<std::string> ControlGroupFolders();

}  // namespace slipway::runtime
