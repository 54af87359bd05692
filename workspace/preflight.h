// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "registry/registry.h"
#include "workspace/api.h"
#include "workspace/image_inputs.h"

namespace slipway::workspace {

class Workspace;

/// Checks the scoring script of an image that is to be built, as `preflight` of the request says:
/// `strict` refuses what cannot work (kInvalidArgument, id `Script.…`, naming the line), `warn`
/// says it, `off` does not look. Gives what is to be said. What was found is remembered.
Result<std::vector<api::ImageWarning>> CheckScript(
    Workspace& workspace, const api::CreateImage& wanted,
    const std::vector<registry::ModelVersion>& models, const imagebuilder::PythonSpec& python,
    imagebuilder::BuildContext& context);

}  // namespace slipway::workspace
