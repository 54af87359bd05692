// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "deployer/deployer.h"
#include "workspace/operations.h"
#include "workspace/store.h"

namespace slipway::workspace {

class Workspace;

/// What the target is to run for `row`: its image unpacked under `run/`, and the image's command.
Result<deployer::DeploySpec> MakeDeploySpec(Workspace& workspace, const ServiceRow& row);

/// Makes sure that what the service runs is unpacked where it has to be.
Result<void> UnpackService(Workspace& workspace, const ServiceRow& row);

/// Hands the service to its target: one image, or the revisions that requests are divided between
/// and what divides them. ApplyService returns once that is under way; ApplyAndWait divides
/// requests only between revisions that answer, and waits until the service does.
Result<void> ApplyService(Workspace& workspace, const ServiceRow& row);
Result<deployer::Observed> ApplyAndWait(Workspace& workspace, const ServiceRow& row,
                                        const deployer::WaitOptions& options);

/// How the service is at its target; one that is divided is as its worst revision.
Result<deployer::Observed> ObserveService(deployer::Driver& driver, const ServiceRow& row);
/// The last lines of its output, of each revision that gets requests.
Result<std::string> ReadServiceLogs(deployer::Driver& driver, const ServiceRow& row,
                                    std::int64_t lines);

enum class Keep : std::uint8_t { kTraffic, kNone };
/// Stops the revisions that run beside the service; kTraffic: not those that get requests.
Result<void> RemoveIdleRevisions(Workspace& workspace, const ServiceRow& row, Keep keep);
/// The same once the requests under way are answered; a failure is logged.
void TidyRevisions(Workspace& workspace, const ServiceRow& row);

/// ApplyAndWait with phases. Says where and how it is.
Result<deployer::Observed> Deploy(Workspace& workspace, const ServiceRow& row, Progress& progress);

}  // namespace slipway::workspace
