// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/process.h"

namespace slipway::deployer {

/// Processes of this user whose environment has the mark (see process_command.h) with a value
/// that begins with `prefix`, each with that value.
std::vector<std::pair<ProcessId, std::string>> FindMarked(const std::string& prefix);

}  // namespace slipway::deployer
