// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "workspace/access.h"
#include "workspace/api.h"

/// Bringing a version of a model to an environment: gates, deployment, check, alias, record.
namespace slipway::workspace {

class Workspace;

/// What an environment may be. kInvalidArgument (ids `Environment.Name`, `Environment.Gate`,
/// `Environment.Invalid`, and those of a deployment).
Result<void> CheckEnvironment(Workspace& workspace, const api::Environment& environment);
/// Gives an environment of which no gates are said those that it has then: `endpoint`.
void CompleteEnvironment(api::Environment& environment);
/// The same without the keys and passwords of its deployment.
api::Environment ShownEnvironment(api::Environment environment);

/// Records the wish, and starts the operation `promotion.run` unless somebody must agree first.
Result<api::Promotion> RequestPromotion(Workspace& workspace, const std::string& workspace_name,
                                        const api::CreatePromotion& wanted,
                                        const Principal& principal);

/// Somebody's word on a promotion that waits for one.
struct Decision {
  std::string workspace, id;
  bool approved = false;
  std::string note;
};
/// kFailedPrecondition (id `Promotion.Decided`) if it does not wait, kPermissionDenied (id
/// `Promotion.NotApprover`) if the environment asks for somebody else.
Result<api::Promotion> DecidePromotion(Workspace& workspace, const Decision& decision,
                                       const Principal& principal);

}  // namespace slipway::workspace
