// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/manifest.h"

namespace slipway::imagebuilder {

/// The spec with models and files in one order, so that the order given means nothing.
/// kInvalidArgument (id `Image.Spec`) naming the first value that cannot be in an image.
Result<BuildSpec> NormalSpec(const BuildSpec& spec);

/// What a container of the spec's image is started with. Reads the server program's header.
Result<ImageConfig> MakeConfig(const BuildSpec& spec);

}  // namespace slipway::imagebuilder
