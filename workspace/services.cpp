// SPDX-License-Identifier: Apache-2.0
#include "workspace/services.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/deploy.h"
#include "workspace/etag.h"
#include "workspace/garbage.h"
#include "workspace/images.h"
#include "workspace/service_keys.h"
#include "workspace/service_work.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kPortMax = 65'535;

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

/// The target that is asked for: by name, by the deployment, or `process`.
Result<std::string> ChooseTarget(const api::CreateService& wanted, const Json& deployment) {
  const std::string named = TRY(deployer::DeploymentTarget(deployment));
  if (!wanted.target.empty() && !named.empty() && wanted.target != named) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = "target \"" + wanted.target + "\" is not the deployment's, \"" + named + "\"",
        .id = "Request.Invalid",
        .fix = "leave one of them out"};
  }
  if (!wanted.target.empty()) return wanted.target;
  return named.empty() ? std::string("process") : named;
}

Result<Json> ReadObject(const api::Object& object) {
  if (object.json.empty()) return Json::object();
  return ParseJson(object.json);
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

/// Takes a service of that name over, for as long as it stays on its target.
Result<void> PrepareOverwrite(Workspace& workspace, ServiceWork& work,
                              const std::string& operation_id) {
  const ServiceRow fresh = work.after;
  TRY(TakeService(workspace, work, operation_id));
  if (work.before.service.target != fresh.service.target) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "service \"" + fresh.service.name + "\" runs on target \"" +
                            work.before.service.target + "\" and cannot move to \"" +
                            fresh.service.target + "\"",
                 .id = "Service.TargetFixed",
                 .fix = "delete it first, or choose another name"};
  }
  work.after.service.image = fresh.service.image;
  work.after.service.image_digest = fresh.service.image_digest;
  work.after.deployment = fresh.deployment;
  if (fresh.deployment.primary_key.empty()) {
    work.after.deployment.primary_key = work.before.deployment.primary_key;
  }
  if (fresh.deployment.secondary_key.empty()) {
    work.after.deployment.secondary_key = work.before.deployment.secondary_key;
  }
  return {};
}

void Describe(const api::CreateService& wanted, ServiceRow& row) {
  const deployer::Deployment& deployment = row.deployment;
  row.port = wanted.port != 0 ? wanted.port : deployment.port;
  row.service.description =
      wanted.description.empty() ? deployment.description : wanted.description;
  row.service.kv_tags = wanted.tags;
  row.service.kv_tags.insert(deployment.tags.begin(), deployment.tags.end());
  row.service.properties = wanted.properties;
  row.service.properties.insert(deployment.properties.begin(), deployment.properties.end());
}

Result<void> PrepareCreate(Workspace& workspace, const api::CreateService& wanted,
                           ServiceWork& work, const std::string& operation_id) {
  TRY(workspace.store().GetWorkspace(work.after.workspace));
  const bool taken = workspace.store().GetService(work.after.workspace, wanted.name).has_value();
  if (taken && wanted.overwrite) TRY(PrepareOverwrite(workspace, work, operation_id));
  work.after.operation_id = operation_id;
  Describe(wanted, work.after);
  CompleteKeys(work.after.deployment);
  if (!work.models.empty()) {
    const api::CreateImage image{.name = wanted.name, .models = {}};
    work.image =
        TRY(InsertImage(workspace, work.after.workspace, image, work.models, operation_id));
    SetImage(work, work.image);
  } else {
    TRY(HoldImage(workspace, work, work.after.service.image));
  }
  if (work.exists) return {};
  work.after.service.state = "Transitioning";
  return workspace.store().InsertService(work.after);
}

}  // namespace

api::Service LookAtService(Workspace& workspace, const ServiceRow& row) {
  api::Service service = row.service;
  if (service.state == "Transitioning") return service;
  const Result<deployer::Driver*> driver = workspace.targets().Find(service.target);
  if (!driver) return service;
  const Result<deployer::Observed> seen = ObserveService(**driver, row);
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
    service.swagger_uri = seen->endpoint + "/swagger.json";
  }
  return service;
}

Result<api::Operation> StartServiceCreate(Workspace& workspace, const std::string& workspace_name,
                                          const api::CreateService& wanted) {
  TRY(CheckCreate(wanted));
  TRY(workspace.store().GetWorkspace(workspace_name));
  const Json deployment = TRY(ReadObject(wanted.deployment));
  const auto work = std::make_shared<ServiceWork>();
  work->after.workspace = workspace_name;
  work->after.service.name = wanted.name;
  work->after.service.target = TRY(ChooseTarget(wanted, deployment));
  work->after.service.revision = 1;
  TRY(workspace.targets().Find(work->after.service.target));
  work->after.deployment = TRY(deployer::ParseDeployment(deployment, work->after.service.target));
  TRY(ChooseImage(workspace, wanted, *work));
  return StartServiceWork(workspace, work, "service.create",
                          [&workspace, wanted, work](const std::string& operation_id) {
                            return PrepareCreate(workspace, wanted, *work, operation_id);
                          });
}

namespace {

Result<void> CheckUpdate(const api::UpdateService& wanted) {
  if (!wanted.image.empty() || wanted.has_description || wanted.has_tags ||
      !wanted.add_properties.empty() || !wanted.deployment.json.empty()) {
    return {};
  }
  return Error{.code = Code::kInvalidArgument,
               .message =
                   "nothing is to be changed: give image, deployment, description, tags or "
                   "add_properties",
               .id = "Request.Invalid"};
}

Result<void> ChangeLabels(const api::UpdateService& wanted, api::Service& service) {
  if (wanted.has_description) service.description = wanted.description;
  if (wanted.has_tags) service.kv_tags = wanted.tags;
  for (const auto& [name, value] : wanted.add_properties) {
    const auto [at, added] = service.properties.emplace(name, value);
    if (added || at->second == value) continue;
    return Error{.code = Code::kFailedPrecondition,
                 .message = "property \"" + name + "\" of service \"" + service.name + "\" is \"" +
                            at->second + "\" and cannot become \"" + value + "\"",
                 .id = "Service.PropertyFixed",
                 .fix = "properties can be added, never changed; use a tag for what may change"};
  }
  return {};
}

/// Changes `after` from what it was, in the transaction of the operation's beginning.
Result<void> PrepareUpdate(Workspace& workspace, const api::UpdateService& wanted,
                           const api::Image& image, ServiceWork& work) {
  TRY(ChangeLabels(wanted, work.after.service));
  const Json change = TRY(ReadObject(wanted.deployment));
  work.after.deployment =
      TRY(deployer::ChangeDeployment(work.before.deployment, change, work.after.service.target));
  CompleteKeys(work.after.deployment);
  if (!image.id.empty()) TRY(HoldImage(workspace, work, image.id));
  work.redeploys = !image.id.empty() || work.after.deployment != work.before.deployment;
  if (work.redeploys) return {};
  work.after.service.revision = work.before.service.revision;
  work.after.service.traffic = work.before.service.traffic;
  return {};
}

}  // namespace

Result<api::Operation> StartServiceUpdate(Workspace& workspace, const std::string& workspace_name,
                                          const std::string& name, const api::UpdateService& wanted,
                                          const std::string& if_match) {
  TRY(CheckUpdate(wanted));
  const ServiceRow row = TRY(workspace.store().GetService(workspace_name, name));
  api::Image image;
  if (!wanted.image.empty()) {
    const VersionedName image_name = TRY(ParseVersionedName(wanted.image));
    image = TRY(workspace.store().GetReadyImage(workspace_name, image_name));
  }
  const auto work = std::make_shared<ServiceWork>();
  work->after = row;
  return StartServiceWork(
      workspace, work, "service.update",
      [&workspace, wanted, image, work, if_match](const std::string& operation_id) -> Result<void> {
        TRY(TakeService(workspace, *work, operation_id));
        TRY(CheckIfMatch(if_match, work->before.service.etag,
                         "service \"" + work->before.service.name + "\""));
        return PrepareUpdate(workspace, wanted, image, *work);
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
    TRY(driver->Remove({work->before.workspace, work->before.service.name}));
    TRY(RemoveIdleRevisions(workspace, work->before, Keep::kNone));
    RemoveKeyFile(workspace, work->before);
    return {};
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
