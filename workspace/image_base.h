// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/tools.h"
#include "workspace/access.h"

/// The base that an image was asked to be built on.
namespace slipway::workspace {

class Workspace;

/// kPermissionDenied (id `Auth.Forbidden`) for a root file system of this machine, unless it is an
/// owner of all workspaces who asks: whoever has the image can read what is in it.
Result<void> CheckBase(const Principal& principal, const std::string& base);

/// Brings the base into the store: an OCI layout or archive, or a root file system, on this machine
/// (an absolute path), or a registry's reference. kInvalidArgument (id `Image.Base`); the errors of
/// a registry.
Result<imagebuilder::Image> FetchBase(Workspace& workspace, const std::string& base,
                                      const std::filesystem::path& scratch,
                                      const imagebuilder::WorkHooks& hooks);

/// Unpacked, for its Python to resolve and compile with. Kept for the next build.
Result<imagebuilder::GivenBase> UnpackBase(Workspace& workspace, const imagebuilder::Image& image);

/// Its layers and settings put below those of the spec.
Result<void> AddBase(Workspace& workspace, const imagebuilder::Image& image,
                     imagebuilder::PythonSpec& python, imagebuilder::BuildSpec& spec);

}  // namespace slipway::workspace
