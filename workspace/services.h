// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "workspace/api.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// What the workspace service does with services: from an image, or a model, to an endpoint.
namespace slipway::workspace {

class Workspace;

/// The service as it is now: what its row says and what its target sees.
api::Service LookAtService(Workspace& workspace, const ServiceRow& row);

/// Starts the operation `service.create`, or `service.update` where it may overwrite one.
Result<api::Operation> StartServiceCreate(Workspace& workspace, const std::string& workspace_name,
                                          const api::CreateService& wanted);
/// Starts the operation `service.update`: rolls to another image, back again if that fails.
Result<api::Operation> StartServiceUpdate(Workspace& workspace, const std::string& workspace_name,
                                          const std::string& name, const api::UpdateService& wanted,
                                          const std::string& if_match);
/// Starts the operation `service.delete`.
Result<api::Operation> StartServiceDelete(Workspace& workspace, const std::string& workspace_name,
                                          const std::string& name, const std::string& if_match);

/// At start: what an operation had left half made becomes Failed, the rest runs again.
Result<void> ResumeServices(Workspace& workspace);
/// At the end: stops what only lives beside this program.
void SuspendServices(Workspace& workspace);

}  // namespace slipway::workspace
