// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "workspace/api.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// Images on their way to a registry and back.
namespace slipway::workspace {

class Workspace;

/// Starts the operation `image.push` of a built image.
Result<api::Operation> StartImagePush(Workspace& workspace, const std::string& workspace_name,
                                      const api::Image& image, const api::PushImage& wanted);

/// Starts the operation `image.pull`, which makes the next version of the name.
Result<api::Operation> StartImagePull(Workspace& workspace, const std::string& workspace_name,
                                      const api::PullImage& wanted);

/// Brings the image to the registry that its deployment names (`image_registry`), for a cluster to
/// pull it from; what is there already is not sent. No registry named: nothing is done.
Result<void> PushForDeploy(Workspace& workspace, const ServiceRow& row, Progress& progress);

}  // namespace slipway::workspace
