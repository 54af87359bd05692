// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/registry.h"
#include "workspace/api.h"
#include "workspace/store.h"

/// What the workspace service does with versions of models.
namespace slipway::workspace {

class Workspace;

/// Registers stored blobs as the next version. kNotFound (ids `Workspace.NotFound`,
/// `Blob.NotFound`), and errors of Registry::Register.
Result<registry::ModelVersion> RegisterModel(Workspace& workspace,
                                             const std::string& workspace_name,
                                             const api::RegisterModel& wanted);

/// kNotFound (ids `Workspace.NotFound`, `Model.NotFound`). Version 0: the newest.
Result<registry::ModelVersion> FindModel(Workspace& workspace, const std::string& workspace_name,
                                         const VersionedName& name);

/// `if_match`: see CheckIfMatch.
Result<registry::ModelVersion> UpdateModel(Workspace& workspace, const std::string& workspace_name,
                                           const VersionedName& name,
                                           const api::UpdateModel& wanted,
                                           std::string_view if_match);

/// kFailedPrecondition (id `Model.InUse`) while a service uses it.
Result<void> DeleteModel(Workspace& workspace, const std::string& workspace_name,
                         const VersionedName& name, std::string_view if_match);

}  // namespace slipway::workspace
