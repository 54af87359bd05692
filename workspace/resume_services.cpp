// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "workspace/deploy.h"
#include "workspace/services.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

void Report(const ServiceRow& row, const Result<void>& result) {
  if (result) return;
  log::Warn("service was not resumed", {{"workspace", row.workspace},
                                        {"service", row.service.name},
                                        {"error", result.error().message}});
}

Result<std::string> KindOf(Workspace& workspace, const ServiceRow& row) {
  const Result<api::Operation> operation = workspace.store().GetOperation(row.operation_id);
  if (operation) return operation->kind;
  if (operation.error().code == Code::kNotFound) return std::string();
  return operation.error();
}

/// Puts back what the row still names, after a change of it was cut off.
Result<void> Reapply(Workspace& workspace, ServiceRow row) {
  const Result<void> applied = ApplyService(workspace, row);
  row.service.state = applied ? "Healthy" : "Failed";
  row.service.cause = applied ? "" : ErrorId(applied.error());
  row.service.detail = applied ? "" : applied.error().message;
  return workspace.store().UpdateService(row);
}

/// One that ran before goes back to the image its row names, one that did not is removed.
Result<void> Unwind(Workspace& workspace, ServiceRow row) {
  const std::string kind = TRY(KindOf(workspace, row));
  const bool ran_before = !row.service.endpoint.empty();
  if (kind != "service.delete" && ran_before) return Reapply(workspace, std::move(row));
  if (kind != "service.delete") {
    deployer::Driver* driver = TRY(workspace.targets().Find(row.service.target));
    Report(row, driver->Remove({row.workspace, row.service.name}));
    Report(row, RemoveIdleRevisions(workspace, row, Keep::kNone));
  }
  row.service.state = "Failed";
  row.service.cause = "Operation.Interrupted";
  row.service.detail = "the workspace service ended while it worked on this service";
  return workspace.store().UpdateService(row);
}

/// Trees do not outlast the machine's run, and targets start their services again from them.
void UnpackAll(Workspace& workspace, const std::vector<ServiceRow>& rows) {
  for (const ServiceRow& row : rows) {
    if (!deployer::RunsUnpacked(row.service.target) || row.service.image_digest.empty()) continue;
    Report(row, UnpackService(workspace, row));
  }
}

/// Stops the revisions that a change which was cut off has left running beside their services.
void TidyLater(Workspace& workspace) {
  workspace.operations().Later([&workspace] {
    const Result<std::vector<ServiceRow>> rows = workspace.store().AllServices();
    if (!rows) return;
    for (const ServiceRow& row : *rows) {
      if (row.service.state != "Transitioning") TidyRevisions(workspace, row);
    }
  });
}

std::set<std::string> TargetsInUse(Workspace& workspace) {
  std::set<std::string> names;
  const Result<std::vector<ServiceRow>> rows = workspace.store().AllServices();
  if (!rows) return names;
  for (const ServiceRow& row : *rows) names.insert(row.service.target);
  return names;
}

}  // namespace

Result<void> ResumeServices(Workspace& workspace) {
  const std::vector<ServiceRow> rows = TRY(workspace.store().AllServices());
  UnpackAll(workspace, rows);
  for (const ServiceRow& row : rows) {
    if (row.service.state == "Transitioning") Report(row, Unwind(workspace, row));
  }
  for (const std::string& name : TargetsInUse(workspace)) {
    const Result<deployer::Driver*> driver = workspace.targets().Find(name);
    Result<void> resumed;
    if (!driver) resumed = driver.error();
    if (driver) resumed = (*driver)->Resume();
    if (!resumed) {
      log::Warn("target was not resumed", {{"target", name}, {"error", resumed.error().message}});
    }
  }
  TidyLater(workspace);
  return {};
}

void SuspendServices(Workspace& workspace) {
  for (const std::string& name : TargetsInUse(workspace)) {
    const Result<deployer::Driver*> driver = workspace.targets().Find(name);
    if (!driver) continue;
    const Result<void> suspended = (*driver)->Suspend();
    if (!suspended) {
      log::Warn("target was not suspended",
                {{"target", name}, {"error", suspended.error().message}});
    }
  }
}

}  // namespace slipway::workspace
