// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "deployer/deployer.h"
#include "workspace/operations.h"
#include "workspace/store.h"

namespace slipway::workspace {

class Workspace;

/// What the target is to run for `row`: its image unpacked under `run/`, and the image's command.
Result<deployer::DeploySpec> MakeDeploySpec(Workspace& workspace, const ServiceRow& row);

/// Hands the service to its target and waits until it answers. Says where and how it is.
Result<deployer::Observed> Deploy(Workspace& workspace, const ServiceRow& row, Progress& progress);

}  // namespace slipway::workspace
