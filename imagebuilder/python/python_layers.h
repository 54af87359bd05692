// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/command.h"
#include "imagebuilder/python/lock.h"

namespace slipway::imagebuilder {

WorkHooks HooksOf(const BuildContext& context);

/// What decides the layer of the Debian packages, and that of the wheels.
std::string DebianKey(const PythonLock& lock);
std::string WheelsKey(const PythonLock& lock);

/// Slipway's own Python folders an image of the spec has, sorted: each of `spec.modules` but those
/// whose package was kept.
Result<std::vector<std::string>> ModuleFolders(const PythonSpec& spec);

}  // namespace slipway::imagebuilder
