// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// A Dockerfile that makes an image like that of the spec, which has Python: for people who want
/// to see what is in it. Nothing here reads it.
std::string GeneratedDockerfile(const BuildSpec& spec);

}  // namespace slipway::imagebuilder
