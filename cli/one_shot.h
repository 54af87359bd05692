// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/context.h"

namespace slipway::cli {

/// Where what can be made again is kept: the XDG cache folder.
std::filesystem::path CacheFolder(const Context& context);

/// What `slipway serve` keeps there: `slipway/serve`.
std::filesystem::path ServeFolder(const Context& context);

/// Has slipwayd do one piece of work in a state folder of its own in ServeFolder, and end: `words`
/// are its subcommand and options. Shows what it says on the way; gives its answer. What it failed
/// with, or kInternal (id `Environment.NotMade`) where it did not answer.
Result<Json> RunOneShot(Context& context, const std::vector<std::string>& words);

}  // namespace slipway::cli
