// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "workspace/operations.h"
#include "workspace/store.h"

/// Revisions of a service: which of them requests go to, and back to an earlier one.
namespace slipway::workspace {

class Workspace;

/// By revision, without those that get nothing. kInvalidArgument (id `Traffic.Invalid`) unless they
/// are different revisions, not too many, with percents that add up to 100.
Result<std::vector<api::TrafficShare>> CheckTraffic(const api::Traffic& wanted);

/// Starts what is not running, waits until it answers, and then divides the requests.
/// kUnimplemented (id `Service.NoSplit`), kNotFound (id `Revision.NotFound`).
Result<api::Operation> StartTraffic(Workspace& workspace, const std::string& workspace_name,
                                    const std::string& name, const api::Traffic& wanted,
                                    const std::string& if_match);

/// A new revision with the image and the settings of an earlier one. kFailedPrecondition (id
/// `Revision.Unclear`) where it is not said which and there is more than one to choose from.
Result<api::Operation> StartRollBack(Workspace& workspace, const std::string& workspace_name,
                                     const std::string& name, const api::RollBack& wanted,
                                     const std::string& if_match);

}  // namespace slipway::workspace
