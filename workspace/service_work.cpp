// SPDX-License-Identifier: Apache-2.0
#include "workspace/service_work.h"

#include "base/log.h"
#include "workspace/deploy.h"
#include "workspace/images.h"
#include "workspace/service_keys.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Error Busy(const std::string& name) {
  return Error{.code = Code::kFailedPrecondition,
               .message = "another operation is working on service \"" + name + "\"",
               .id = "Service.Busy",
               .fix = "wait for it to end"};
}

Result<void> ApplyAgain(Workspace& workspace, const ServiceRow& row) {
  const deployer::DeploySpec spec = TRY(MakeDeploySpec(workspace, row));
  deployer::Driver* driver = TRY(workspace.targets().Find(row.service.target));
  TRY(driver->Apply(spec));
  TRY(deployer::WaitReady(*driver, {row.workspace, row.service.name}, workspace.clock(),
                          {.timeout = workspace.config().ready_timeout}));
  return {};
}

/// Brings back what ran before, after its successor failed.
void GoBack(Workspace& workspace, ServiceWork& work, Progress& progress) {
  progress.Log("going back to " + work.before.service.image);
  const Result<void> applied = ApplyAgain(workspace, work.before);
  if (applied) return;
  work.before.service.state = "Failed";
  work.before.service.cause = ErrorId(applied.error());
  work.before.service.detail = applied.error().message;
  progress.Log("going back failed: " + applied.error().message);
}

void LogOutput(Workspace& workspace, const ServiceRow& row, Progress& progress) {
  constexpr std::int64_t kLines = 20;
  const Result<deployer::Driver*> driver = workspace.targets().Find(row.service.target);
  if (!driver) return;
  const Result<std::string> lines = (*driver)->Logs({row.workspace, row.service.name}, kLines);
  if (lines && !lines->empty()) progress.Log(*lines);
}

}  // namespace

std::string ResourcePath(const ServiceRow& row) {
  return "/workspaces/" + row.workspace + "/services/" + row.service.name;
}

void SetImage(ServiceWork& work, const api::Image& image) {
  work.after.service.image = image.id;
  work.after.service.image_digest = image.digest;
}

Result<void> HoldImage(Workspace& workspace, ServiceWork& work, const std::string& id) {
  const VersionedName name = TRY(ParseVersionedName(id));
  SetImage(work, TRY(workspace.store().GetReadyImage(work.after.workspace, name)));
  work.hold = workspace.image_holds().Take(work.after.workspace, work.after.service.image);
  return {};
}

Result<void> TakeService(Workspace& workspace, ServiceWork& work, const std::string& operation_id) {
  work.before = TRY(workspace.store().GetService(work.after.workspace, work.after.service.name));
  if (work.before.service.state == "Transitioning") return Busy(work.before.service.name);
  work.exists = true;
  work.goes_back = work.before.service.state == "Healthy";
  work.after = work.before;
  work.after.operation_id = operation_id;
  work.after.service.revision += 1;
  ServiceRow marked = work.before;
  marked.operation_id = operation_id;
  marked.service.state = "Transitioning";
  return workspace.store().UpdateService(marked);
}

Result<void> BuildService(Workspace& workspace, ServiceWork& work, Progress& progress) {
  if (!work.keep.owns_lock()) work.keep = std::shared_lock(workspace.keep_mutex());
  if (work.models.empty()) return {};
  const imagebuilder::Image built = TRY(BuildImage(workspace, work.models, progress));
  TRY(FinishImage(workspace, work.after.workspace, work.image, built));
  progress.Log("image " + work.image.id + " is " + work.image.digest);
  SetImage(work, work.image);
  work.models.clear();
  return {};
}

Result<void> RunService(Workspace& workspace, ServiceWork& work, Progress& progress) {
  if (!work.redeploys) return {};
  TRY(BuildService(workspace, work, progress));
  for (const std::string& line :
       deployer::IgnoredSettings(work.after.deployment, work.after.service.target)) {
    progress.Log(line);
  }
  const Result<deployer::Observed> ready = Deploy(workspace, work.after, progress);
  if (ready) {
    api::Service& service = work.after.service;
    service.endpoint = ready->endpoint;
    service.state = "Healthy";
    service.cause.clear();
    service.detail.clear();
    progress.Log("service " + service.name + " answers at " + service.endpoint);
    return {};
  }
  LogOutput(workspace, work.after, progress);
  if (work.goes_back) {
    GoBack(workspace, work, progress);
  } else if (progress.Cancelled()) {
    RemoveFromTarget(workspace, work.after);
  }
  return ready.error();
}

void UndoService(Workspace& workspace, ServiceWork& work, Progress& progress) {
  if (work.goes_back) {
    GoBack(workspace, work, progress);
  } else {
    progress.Log("stopping " + work.after.service.name);
    RemoveFromTarget(workspace, work.after);
  }
}

Result<void> FailService(Workspace& workspace, ServiceWork& work, const Error& error) {
  TRY(workspace.store().FailImagesOf(work.after.operation_id, error.message));
  ServiceRow row = work.goes_back ? work.before : work.after;
  if (!work.goes_back) {
    row.service.state = "Failed";
    row.service.cause = ErrorId(error);
    row.service.detail = error.message;
  }
  row.operation_id = work.after.operation_id;
  return workspace.store().UpdateService(row);
}

void RemoveFromTarget(Workspace& workspace, const ServiceRow& row) {
  const Result<deployer::Driver*> driver = workspace.targets().Find(row.service.target);
  if (!driver) return;
  const Result<void> removed = (*driver)->Remove({row.workspace, row.service.name});
  if (!removed) {
    log::Warn("service was not removed", {{"workspace", row.workspace},
                                          {"service", row.service.name},
                                          {"error", removed.error().message}});
    return;
  }
  RemoveKeyFile(workspace, row);
}

}  // namespace slipway::workspace
