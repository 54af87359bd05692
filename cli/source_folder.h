// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "cli/upload.h"

namespace slipway::cli {

/// The files of a folder of sources that go into an image, by their paths in it, in order: all but
/// what its `.amlignore` names (where there is none, its `.gitignore`; those of its folders count
/// too, with git's rules), what tools keep (`.git`, `__pycache__`, …) and the workspace file with
/// its token. kInvalidArgument with id `Source.NotFolder`; `Source.Link` for a link, `Source.File`
/// for what is neither file nor folder; kResourceExhausted (id `Source.TooLarge`).
Result<std::vector<ModelSource>> FindSourceFiles(const std::filesystem::path& folder);

}  // namespace slipway::cli
