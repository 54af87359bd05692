// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "imagebuilder/sbom.h"
#include "workspace/api.h"

namespace slipway::workspace {

class Workspace;

/// The image's bill of materials. Hold keep_mutex() shared.
Result<std::string> ImageSbom(Workspace& workspace, const api::Image& image,
                              const imagebuilder::SbomForm& form);

}  // namespace slipway::workspace
