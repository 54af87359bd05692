// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "deployer/deployment.h"
#include "workspace/api.h"
#include "workspace/store.h"

/// The two keys by which callers of a service are known. They are in the service's row, in a file
/// for the scoring server on this machine, or where its target keeps secrets; nowhere else.
namespace slipway::workspace {

class Workspace;

/// Makes the keys that are missing, if the deployment asks for keys.
void CompleteKeys(deployer::Deployment& deployment);

/// A file, for its owner alone, with one key a line, below `run/keys`. The scoring server reads it
/// again when it changes.
std::filesystem::path KeyFile(const Workspace& workspace, const ServiceRow& row);
/// Brings the file up to date; removes it where the deployment asks for no keys.
Result<void> WriteKeyFile(const Workspace& workspace, const ServiceRow& row);
void RemoveKeyFile(const Workspace& workspace, const ServiceRow& row);

/// kFailedPrecondition (id `Service.NoKeys`) if the service asks for none.
Result<api::ServiceKeys> GetKeys(const ServiceRow& row);
/// Replaces one key, in the row and where the service runs; the other goes on being accepted.
/// kFailedPrecondition (id `Service.NoKeys`, `Service.Busy`), kInvalidArgument for a key that
/// cannot be one.
Result<api::ServiceKeys> SetKey(Workspace& workspace, const std::string& workspace_name,
                                const std::string& name, const api::SetServiceKey& wanted);

}  // namespace slipway::workspace
