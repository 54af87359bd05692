// SPDX-License-Identifier: Apache-2.0
#include "workspace/service_work.h"

#include <fmt/format.h>

#include <algorithm>

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

/// Brings back what ran before, after its successor failed.
void GoBack(Workspace& workspace, ServiceWork& work, Progress& progress) {
  progress.Log("going back to " + work.before.service.image);
  const Result<deployer::Observed> applied =
      ApplyAndWait(workspace, work.before, {.timeout = workspace.config().ready_timeout});
  if (applied) {
    TidyRevisions(workspace, work.before);
    return;
  }
  work.before.service.state = "Failed";
  work.before.service.cause = ErrorId(applied.error());
  work.before.service.detail = applied.error().message;
  progress.Log("going back failed: " + applied.error().message);
}

void LogOutput(Workspace& workspace, const ServiceRow& row, Progress& progress) {
  constexpr std::int64_t kLines = 20;
  const Result<deployer::Driver*> driver = workspace.targets().Find(row.service.target);
  if (!driver) return;
  const Result<std::string> lines = ReadServiceLogs(**driver, row, kLines);
  if (lines && !lines->empty()) progress.Log(*lines);
}

/// Numbers are never given twice: a service may run a revision that is not its newest.
Result<std::int64_t> NextRevision(Workspace& workspace, const ServiceRow& row) {
  const std::vector<api::Revision> all =
      TRY(workspace.store().ListRevisions(row.workspace, row.service.name));
  const std::int64_t newest = all.empty() ? 0 : all.front().revision;
  return std::max(newest, row.service.revision) + 1;
}

/// Tells where the requests go from now on, if that was or is more than one revision.
void LogTraffic(const ServiceWork& work, Progress& progress) {
  if (!IsSplit(work.after) && !IsSplit(work.before)) return;
  std::string line = "requests go to";
  for (const api::TrafficShare& share : work.after.service.traffic) {
    line += fmt::format(" v{} {} %", share.revision, share.percent);
  }
  progress.Log(line);
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
  work.after.service.revision = TRY(NextRevision(workspace, work.before));
  work.after.service.traffic = {{.revision = work.after.service.revision, .percent = 100}};
  ServiceRow marked = work.before;
  marked.operation_id = operation_id;
  marked.service.state = "Transitioning";
  return workspace.store().UpdateService(marked);
}

Result<api::Operation> StartServiceWork(
    Workspace& workspace, const std::shared_ptr<ServiceWork>& work, std::string kind,
    std::function<Result<void>(const std::string& operation_id)> prepare) {
  Job job{.kind = std::move(kind), .workspace = work->after.workspace};
  job.prepare =
      [work, prepare = std::move(prepare)](const std::string& operation_id) -> Result<std::string> {
    TRY(prepare(operation_id));
    return ResourcePath(work->after);
  };
  job.run = [&workspace, work](Progress& progress) {
    return RunService(workspace, *work, progress);
  };
  job.succeed = [&workspace, work] { return FinishService(workspace, *work); };
  job.fail = [&workspace, work](const Error& error) {
    return FailService(workspace, *work, error);
  };
  return workspace.operations().Start(std::move(job));
}

Result<void> FinishService(Workspace& workspace, const ServiceWork& work) {
  if (work.redeploys && !IsSplit(work.after)) TRY(workspace.store().RecordRevision(work.after));
  return workspace.store().UpdateService(work.after);
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
    LogTraffic(work, progress);
    TidyRevisions(workspace, work.after);
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
  Result<void> removed = (*driver)->Remove({row.workspace, row.service.name});
  if (removed) removed = RemoveIdleRevisions(workspace, row, Keep::kNone);
  if (!removed) {
    log::Warn("service was not removed", {{"workspace", row.workspace},
                                          {"service", row.service.name},
                                          {"error", removed.error().message}});
    return;
  }
  RemoveKeyFile(workspace, row);
}

}  // namespace slipway::workspace
