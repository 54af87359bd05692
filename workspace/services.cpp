// SPDX-License-Identifier: Apache-2.0
#include "workspace/services.h"

#include <memory>
#include <mutex>
#include <shared_mutex>

#include "base/log.h"
#include "workspace/deploy.h"
#include "workspace/etag.h"
#include "workspace/garbage.h"
#include "workspace/images.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kPortMax = 65'535;

/// A service on its way through an operation: as it was, as it is to be, and the image that is
/// built for it on the way, if one is.
struct ServiceWork {
  ServiceRow before, after;
  bool exists = false;     ///< `before` is a service that there was
  bool goes_back = false;  ///< on failure `before` is what remains
  std::vector<registry::ModelVersion> models;
  api::Image image;
  std::shared_lock<std::shared_mutex> keep;
};
using Work = std::shared_ptr<ServiceWork>;

std::string ResourcePath(const ServiceRow& row) {
  return "/workspaces/" + row.workspace + "/services/" + row.service.name;
}

Result<void> CheckCreate(const api::CreateService& wanted) {
  TRY(api::CheckServiceName(wanted.name));
  if (wanted.image.empty() == wanted.model.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "exactly one of the fields \"image\" and \"model\" must be given",
                 .id = "Request.Invalid"};
  }
  if (wanted.port < 0 || wanted.port > kPortMax) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "port " + std::to_string(wanted.port) + " is not in 0 to 65535",
                 .id = "Request.Invalid"};
  }
  return {};
}

Error Busy(const std::string& name) {
  return Error{.code = Code::kFailedPrecondition,
               .message = "another operation is working on service \"" + name + "\"",
               .id = "Service.Busy",
               .fix = "wait for it to end"};
}

/// Reads the row into `before`, and copies it to `after` in state Transitioning.
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

void SetImage(ServiceWork& work, const api::Image& image) {
  work.after.service.image = image.id;
  work.after.service.image_digest = image.digest;
}

Result<void> BuildFor(Workspace& workspace, ServiceWork& work, Progress& progress) {
  const imagebuilder::Image built = TRY(BuildImage(workspace, work.models, progress));
  TRY(FinishImage(workspace, work.after.workspace, work.image, built));
  progress.Log("image " + work.image.id + " is " + work.image.digest);
  SetImage(work, work.image);
  return {};
}

/// Brings back what ran before, after its successor failed.
void RollBack(Workspace& workspace, ServiceWork& work, Progress& progress) {
  progress.Log("going back to " + work.before.service.image);
  const Result<deployer::DeploySpec> spec = MakeDeploySpec(workspace, work.before);
  const Result<deployer::Driver*> driver = workspace.targets().Find(work.before.service.target);
  Result<void> applied;
  if (!spec) applied = spec.error();
  if (!driver) applied = driver.error();
  if (spec && driver) applied = (*driver)->Apply(*spec);
  if (applied) {
    const Result<deployer::Observed> ready =
        deployer::WaitReady(**driver, {work.before.workspace, work.before.service.name},
                            workspace.clock(), {.timeout = workspace.config().ready_timeout});
    if (!ready) applied = ready.error();
  }
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

void RemoveFromTarget(Workspace& workspace, const ServiceRow& row) {
  const Result<deployer::Driver*> driver = workspace.targets().Find(row.service.target);
  if (!driver) return;
  const Result<void> removed = (*driver)->Remove({row.workspace, row.service.name});
  if (!removed) {
    log::Warn("service was not removed", {{"workspace", row.workspace},
                                          {"service", row.service.name},
                                          {"error", removed.error().message}});
  }
}

Result<void> RunDeploy(Workspace& workspace, const Work& work, Progress& progress) {
  work->keep = std::shared_lock(workspace.keep_mutex());
  if (!work->models.empty()) TRY(BuildFor(workspace, *work, progress));
  const Result<deployer::Observed> ready = Deploy(workspace, work->after, progress);
  if (ready) {
    api::Service& service = work->after.service;
    service.endpoint = ready->endpoint;
    service.state = "Healthy";
    service.cause.clear();
    service.detail.clear();
    progress.Log("service " + service.name + " answers at " + service.endpoint);
    return {};
  }
  LogOutput(workspace, work->after, progress);
  if (work->goes_back) {
    RollBack(workspace, *work, progress);
  } else if (progress.Cancelled()) {
    RemoveFromTarget(workspace, work->after);
  }
  return ready.error();
}

Result<void> FailDeploy(Workspace& workspace, const Work& work, const Error& error) {
  TRY(workspace.store().FailImagesOf(work->after.operation_id, error.message));
  ServiceRow row = work->goes_back ? work->before : work->after;
  if (!work->goes_back) {
    row.service.state = "Failed";
    row.service.cause = ErrorId(error);
    row.service.detail = error.message;
  }
  row.operation_id = work->after.operation_id;
  return workspace.store().UpdateService(row);
}

/// Chooses the image, or the models to build one from, before anything is written.
Result<void> ChooseImage(Workspace& workspace, const api::CreateService& wanted,
                         ServiceWork& work) {
  const std::string& workspace_name = work.after.workspace;
  if (!wanted.model.empty()) {
    work.models = TRY(ResolveModels(workspace, workspace_name, {wanted.model}));
    return {};
  }
  const VersionedName name = TRY(ParseVersionedName(wanted.image));
  SetImage(work, TRY(workspace.store().GetReadyImage(workspace_name, name)));
  return {};
}

Result<void> PrepareCreate(Workspace& workspace, const api::CreateService& wanted,
                           ServiceWork& work, const std::string& operation_id) {
  const ServiceRow fresh = work.after;
  const bool taken = workspace.store().GetService(fresh.workspace, wanted.name).has_value();
  if (taken && wanted.overwrite) {
    TRY(TakeService(workspace, work, operation_id));
    if (work.before.service.target != wanted.target) {
      return Error{.code = Code::kFailedPrecondition,
                   .message = "service \"" + wanted.name + "\" runs on target \"" +
                              work.before.service.target + "\" and cannot move to \"" +
                              wanted.target + "\"",
                   .id = "Service.TargetFixed",
                   .fix = "delete it first, or choose another name"};
    }
    work.after.service.image = fresh.service.image;
    work.after.service.image_digest = fresh.service.image_digest;
  }
  work.after.operation_id = operation_id;
  work.after.port = wanted.port;
  work.after.service.description = wanted.description;
  work.after.service.kv_tags = wanted.tags;
  work.after.service.properties = wanted.properties;
  if (!work.models.empty()) {
    const api::CreateImage image{.name = wanted.name, .models = {}};
    work.image =
        TRY(InsertImage(workspace, work.after.workspace, image, work.models, operation_id));
    SetImage(work, work.image);
  }
  if (work.exists) return {};
  work.after.service.state = "Transitioning";
  return workspace.store().InsertService(work.after);
}

Result<api::Operation> Start(Workspace& workspace, const Work& work, std::string kind,
                             std::function<Result<void>(const std::string&)> prepare) {
  Job job{.kind = std::move(kind), .workspace = work->after.workspace};
  job.prepare =
      [work, prepare = std::move(prepare)](const std::string& operation_id) -> Result<std::string> {
    TRY(prepare(operation_id));
    return ResourcePath(work->after);
  };
  job.run = [&workspace, work](Progress& progress) { return RunDeploy(workspace, work, progress); };
  job.succeed = [&workspace, work] { return workspace.store().UpdateService(work->after); };
  job.fail = [&workspace, work](const Error& error) { return FailDeploy(workspace, work, error); };
  return workspace.operations().Start(std::move(job));
}

}  // namespace

api::Service LookAtService(Workspace& workspace, const ServiceRow& row) {
  api::Service service = row.service;
  if (service.state == "Transitioning") return service;
  const Result<deployer::Driver*> driver = workspace.targets().Find(service.target);
  if (!driver) return service;
  const Result<deployer::Observed> seen = (*driver)->Observe({row.workspace, service.name});
  if (!seen) {
    if (service.state == "Failed") return service;
    service.state = seen.error().code == Code::kNotFound ? "Failed" : "Unhealthy";
    service.cause = ErrorId(seen.error());
    service.detail = seen.error().message;
    return service;
  }
  service.restarts = seen->restarts;
  switch (seen->phase) {
    case deployer::Phase::kPending:
      service.state = "Transitioning";
      break;
    case deployer::Phase::kHealthy:
      service.state = "Healthy";
      break;
    case deployer::Phase::kUnhealthy:
    case deployer::Phase::kStopped:
      service.state = "Unhealthy";
      break;
    case deployer::Phase::kFailed:
      service.state = "Failed";
      break;
  }
  if (service.state == "Healthy" || !seen->cause.empty()) {
    service.cause = seen->cause;
    service.detail = seen->detail;
  }
  if (!seen->endpoint.empty()) {
    service.endpoint = seen->endpoint;
    service.scoring_uri = seen->endpoint + "/score";
  }
  return service;
}

Result<api::Operation> StartServiceCreate(Workspace& workspace, const std::string& workspace_name,
                                          const api::CreateService& wanted) {
  TRY(CheckCreate(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  TRY(workspace.targets().Find(wanted.target));
  const auto work = std::make_shared<ServiceWork>();
  work->after.workspace = workspace_name;
  work->after.service.name = wanted.name;
  work->after.service.target = wanted.target;
  work->after.service.revision = 1;
  TRY(ChooseImage(workspace, wanted, *work));
  return Start(workspace, work, "service.create",
               [&workspace, wanted, work](const std::string& operation_id) {
                 return PrepareCreate(workspace, wanted, *work, operation_id);
               });
}

Result<api::Operation> StartServiceUpdate(Workspace& workspace, const std::string& workspace_name,
                                          const std::string& name, const api::UpdateService& wanted,
                                          const std::string& if_match) {
  const ServiceRow row = TRY(workspace.store().GetService(workspace_name, name));
  const VersionedName image_name = TRY(ParseVersionedName(wanted.image));
  const api::Image image = TRY(workspace.store().GetReadyImage(workspace_name, image_name));
  const auto work = std::make_shared<ServiceWork>();
  work->after = row;
  return Start(
      workspace, work, "service.update",
      [&workspace, image, work, if_match](const std::string& operation_id) -> Result<void> {
        TRY(TakeService(workspace, *work, operation_id));
        TRY(CheckIfMatch(if_match, work->before.service.etag,
                         "service \"" + work->before.service.name + "\""));
        SetImage(*work, image);
        return {};
      });
}

Result<api::Operation> StartServiceDelete(Workspace& workspace, const std::string& workspace_name,
                                          const std::string& name, const std::string& if_match) {
  const auto work = std::make_shared<ServiceWork>();
  work->after = TRY(workspace.store().GetService(workspace_name, name));
  Job job{.kind = "service.delete", .workspace = workspace_name};
  job.prepare = [&workspace, work,
                 if_match](const std::string& operation_id) -> Result<std::string> {
    TRY(TakeService(workspace, *work, operation_id));
    TRY(CheckIfMatch(if_match, work->before.service.etag,
                     "service \"" + work->before.service.name + "\""));
    return ResourcePath(work->after);
  };
  job.run = [&workspace, work](Progress& progress) -> Result<void> {
    deployer::Driver* driver = TRY(workspace.targets().Find(work->before.service.target));
    progress.Phase("stopping " + work->before.service.name, 10);
    return driver->Remove({work->before.workspace, work->before.service.name});
  };
  job.succeed = [&workspace, work]() -> Result<void> {
    TRY(workspace.store().DeleteService(work->before.workspace, work->before.service.name));
    CollectGarbageLater(workspace);
    return {};
  };
  job.fail = [&workspace, work](const Error&) {
    work->before.operation_id = work->after.operation_id;
    return workspace.store().UpdateService(work->before);
  };
  return workspace.operations().Start(std::move(job));
}

}  // namespace slipway::workspace
