// SPDX-License-Identifier: Apache-2.0
#include "workspace/promotions.h"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/registry.h"
#include "workspace/images.h"
#include "workspace/promotion_check.h"
#include "workspace/service_keys.h"
#include "workspace/service_work.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::array<std::string_view, 4> kGates = {"samples", "verify", "verify-exact",
                                                    "endpoint"};
constexpr std::size_t kApproversMax = 100;

/// One promotion on its way through its operation.
struct PromotionWork {
  api::Environment environment;
  api::Promotion promotion;
  api::Promotion begun;  ///< as it was when the operation began
  registry::ModelVersion model;
  deployer::Deployment deployment;
  std::string target;
  ServiceWork service;
  bool deployed = false;
};
using Work = std::shared_ptr<PromotionWork>;

Result<Json> DeploymentOf(const api::Environment& environment) {
  if (environment.deployment.json.empty()) return Json::object();
  return ParseJson(environment.deployment.json);
}

Result<std::string> TargetOf(const api::Environment& environment, const Json& deployment) {
  if (!environment.target.empty()) return environment.target;
  const std::string named = TRY(deployer::DeploymentTarget(deployment));
  return named.empty() ? std::string("process") : named;
}

/// `<model>-<environment>` in letters that a service's name may have.
std::string ServiceOf(const api::Environment& environment, const std::string& model) {
  if (!environment.service.empty()) return environment.service;
  std::string name = ToLower(model + "-" + environment.name);
  for (char& c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!fits) c = '-';
  }
  return name;
}

std::string AliasOf(const api::Environment& environment) {
  return environment.alias.empty() ? environment.name : environment.alias;
}

bool HasGate(const api::Environment& environment, std::string_view gate) {
  return std::ranges::find(environment.gates, gate) != environment.gates.end();
}

Error Invalid(std::string id, std::string message, std::string fix = {}) {
  return Error{.code = Code::kInvalidArgument,
               .message = std::move(message),
               .id = std::move(id),
               .fix = std::move(fix)};
}

Result<void> CheckGates(const api::Environment& environment) {
  for (const std::string& gate : environment.gates) {
    if (std::ranges::find(kGates, gate) != kGates.end()) continue;
    const std::string nearest = Nearest(gate, std::span<const std::string_view>(kGates));
    return Invalid("Environment.Gate", "there is no gate \"" + gate + "\"",
                   nearest.empty() ? "the gates are samples, verify, verify-exact, endpoint"
                                   : "did you mean \"" + nearest + "\"?");
  }
  return {};
}

/// Adds what was found to the record and to the operation's log.
void Note(Workspace& workspace, PromotionWork& work, Progress& progress, api::Evidence evidence,
          const Result<std::string>& found) {
  evidence.state = found ? "Passed" : "Failed";
  evidence.detail = found ? *found : found.error().message;
  evidence.time = FormatTime(workspace.clock().Now());
  progress.Log(evidence.step + ": " + evidence.detail);
  work.promotion.evidence.push_back(std::move(evidence));
  const Result<void> saved = workspace.store().SavePromotion(work.promotion);
  if (!saved) log::Warn("evidence was not written", {{"error", saved.error().message}});
}

/// What a gate finds; it may add to its evidence.
using Look = std::function<Result<std::string>(api::Evidence& evidence)>;

Result<void> PassGate(Workspace& workspace, PromotionWork& work, Progress& progress,
                      const std::string& gate, const Look& look) {
  if (!HasGate(work.environment, gate)) return {};
  api::Evidence evidence{.step = gate};
  const Result<std::string> found = look(evidence);
  Note(workspace, work, progress, std::move(evidence), found);
  if (found) return {};
  return Within("gate \"" + gate + "\"", found.error());
}

/// That the image is whole and carries the model, which no environment does without.
Result<void> PassImage(Workspace& workspace, PromotionWork& work, Progress& progress,
                       const api::Image& image) {
  const Result<std::string> found = VerifyImage(workspace, image, work.model);
  Note(workspace, work, progress, {.step = "image", .digest = image.digest}, found);
  if (found) return {};
  return Within("image \"" + image.id + "\"", found.error());
}

Result<void> Deploy(Workspace& workspace, PromotionWork& work, Progress& progress) {
  const Result<void> deployed = RunService(workspace, work.service, progress);
  work.deployed = deployed.has_value();
  Result<std::string> found =
      work.service.after.service.name + " answers at " + work.service.after.service.endpoint;
  if (!deployed) found = deployed.error();
  Note(workspace, work, progress, {.step = "deploy"}, found);
  return deployed;
}

Result<void> RunSteps(Workspace& workspace, PromotionWork& work, Progress& progress) {
  TRY(PassGate(workspace, work, progress, "samples",
               [&](api::Evidence&) { return FindSamples(work.model); }));
  TRY(BuildService(workspace, work.service, progress));
  const VersionedName name = TRY(ParseVersionedName(work.service.after.service.image));
  const api::Image image = TRY(workspace.store().GetReadyImage(work.promotion.workspace, name));
  work.promotion.image = image.id;
  work.promotion.image_digest = image.digest;
  TRY(PassImage(workspace, work, progress, image));
  for (const auto& [gate, programs] :
       {std::pair{"verify", OwnPrograms::kAny}, std::pair{"verify-exact", OwnPrograms::kSame}}) {
    TRY(PassGate(workspace, work, progress, gate, [&](api::Evidence& evidence) {
      return RebuildImage(workspace, work.promotion.workspace, image, programs, progress, evidence);
    }));
  }
  TRY(Deploy(workspace, work, progress));
  return PassGate(workspace, work, progress, "endpoint", [&](api::Evidence&) {
    return CheckEndpoint(workspace, work.service.after, image, work.model, progress);
  });
}

Result<void> Run(Workspace& workspace, PromotionWork& work, Progress& progress) {
  Result<void> ran = RunSteps(workspace, work, progress);
  if (!ran && work.deployed) {
    UndoService(workspace, work.service, progress);
  } else if (!ran && !work.service.exists) {
    RemoveFromTarget(workspace, work.service.after);
  }
  return ran;
}

/// The service of the environment: the one there is, or a new one.
Result<void> PrepareService(Workspace& workspace, PromotionWork& work,
                            const std::string& operation_id) {
  ServiceWork& service = work.service;
  service.after.workspace = work.promotion.workspace;
  service.after.service.name = work.promotion.service;
  service.after.service.target = work.target;
  service.after.service.revision = 1;
  const Result<ServiceRow> there =
      workspace.store().GetService(work.promotion.workspace, work.promotion.service);
  if (!there && there.error().code != Code::kNotFound) return there.error();
  if (there && there->service.target != work.target) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "service \"" + work.promotion.service + "\" runs on target \"" +
                            there->service.target + "\", environment \"" + work.environment.name +
                            "\" is on \"" + work.target + "\"",
                 .id = "Service.TargetFixed",
                 .fix = "delete that service, or give the environment another one"};
  }
  if (there) {
    TRY(TakeService(workspace, service, operation_id));
    work.promotion.previous_image = service.before.service.image;
    if (work.deployment.primary_key.empty()) {
      work.deployment.primary_key = service.before.deployment.primary_key;
      work.deployment.secondary_key = service.before.deployment.secondary_key;
    }
  }
  service.after.operation_id = operation_id;
  service.after.deployment = work.deployment;
  service.after.port = work.deployment.port;
  CompleteKeys(service.after.deployment);
  service.after.service.properties["promotion"] = work.promotion.id;
  const std::string image =
      TRY(workspace.store().ImageOfModel(work.promotion.workspace, work.model.id));
  if (image.empty()) {
    service.models = {work.model};
    service.image = TRY(InsertImage(workspace, work.promotion.workspace,
                                    api::CreateImage{.name = work.model.name, .models = {}},
                                    service.models, operation_id));
    SetImage(service, service.image);
  } else {
    TRY(HoldImage(workspace, service, image));
  }
  if (there) return {};
  service.after.service.state = "Transitioning";
  return workspace.store().InsertService(service.after);
}

Result<void> MoveAlias(Workspace& workspace, const PromotionWork& work) {
  const std::string alias = AliasOf(work.environment);
  registry::Registry& registry = workspace.registry();
  const Result<std::int64_t> now = registry.GetAlias(work.model.workspace, work.model.name, alias);
  if (!now && now.error().code != Code::kNotFound) return now.error();
  return registry.SetAlias(work.model.workspace, work.model.name, alias, work.model.version,
                           now ? *now : 0);
}

Result<void> Succeed(Workspace& workspace, PromotionWork& work) {
  TRY(FinishService(workspace, work.service));
  TRY(MoveAlias(workspace, work));
  const std::string now = FormatTime(workspace.clock().Now());
  work.promotion.evidence.push_back(
      {.step = "alias",
       .state = "Passed",
       .detail = "\"" + AliasOf(work.environment) + "\" points at " + work.model.id,
       .time = now});
  work.promotion.state = "Succeeded";
  work.promotion.ended_time = now;
  return workspace.store().SavePromotion(work.promotion);
}

/// A service that the promotion was to make is gone again; one that there was is as it was.
Result<void> Fail(Workspace& workspace, PromotionWork& work, const Error& error) {
  if (work.service.exists) {
    TRY(FailService(workspace, work.service, error));
  } else {
    TRY(workspace.store().FailImagesOf(work.promotion.operation_id, error.message));
    TRY(workspace.store().DeleteService(work.promotion.workspace, work.promotion.service));
  }
  work.promotion.state = "Failed";
  work.promotion.error_code = ErrorId(error);
  work.promotion.error = error.message;
  work.promotion.ended_time = FormatTime(workspace.clock().Now());
  return workspace.store().SavePromotion(work.promotion);
}

/// Everything that can be known before anything is written.
Result<Work> MakeWork(Workspace& workspace, const api::Environment& environment,
                      const std::string& workspace_name, const std::string& model) {
  auto work = std::make_shared<PromotionWork>();
  work->environment = environment;
  work->model = TRY(ResolveModels(workspace, workspace_name, {model})).front();
  const Json deployment = TRY(DeploymentOf(environment));
  work->target = TRY(TargetOf(environment, deployment));
  TRY(workspace.targets().Find(work->target));
  work->deployment = TRY(deployer::ParseDeployment(deployment, work->target));
  work->promotion.workspace = workspace_name;
  work->promotion.environment = environment.name;
  work->promotion.model = work->model.id;
  work->promotion.model_digest = work->model.digest;
  work->promotion.service = ServiceOf(environment, work->model.name);
  TRY(api::CheckServiceName(work->promotion.service));
  return work;
}

Result<void> Start(Workspace& workspace, const Work& work,
                   const std::function<Result<void>()>& record) {
  Job job{.kind = "promotion.run", .workspace = work->promotion.workspace};
  job.prepare = [&workspace, work, record](const std::string& operation_id) -> Result<std::string> {
    TRY(record());
    work->promotion.state = "Running";
    work->promotion.operation_id = operation_id;
    TRY(PrepareService(workspace, *work, operation_id));
    TRY(workspace.store().SavePromotion(work->promotion));
    work->begun =
        TRY(workspace.store().GetPromotion(work->promotion.workspace, work->promotion.id));
    return "/workspaces/" + work->promotion.workspace + "/promotions/" + work->promotion.id;
  };
  job.run = [&workspace, work](Progress& progress) { return Run(workspace, *work, progress); };
  job.succeed = [&workspace, work] { return Succeed(workspace, *work); };
  job.fail = [&workspace, work](const Error& error) { return Fail(workspace, *work, error); };
  TRY(workspace.operations().Start(std::move(job)));
  return {};
}

Result<void> CheckApprover(const api::Environment& environment, const api::Promotion& promotion,
                           const Principal& principal) {
  const auto& approvers = environment.approvers;
  const bool named = std::ranges::find(approvers, principal.name) != approvers.end();
  const bool own = promotion.requested_by == principal.name;
  if (named && (!own || environment.own_approval)) return {};
  const std::string why =
      named ? "\"" + principal.name + "\" has asked for it and may not agree to it"
            : "\"" + principal.name + "\" is none of its approvers: " + Join(approvers, ", ");
  return Error{.code = Code::kPermissionDenied,
               .message = "environment \"" + environment.name + "\": " + why,
               .id = "Promotion.NotApprover",
               .fix = "ask one of the approvers"};
}

Error Decided(const api::Promotion& promotion) {
  return Error{.code = Code::kFailedPrecondition,
               .message = "promotion \"" + promotion.id +
                          "\" does not wait for approval, it is in "
                          "state " +
                          promotion.state,
               .id = "Promotion.Decided"};
}

}  // namespace

Result<void> CheckEnvironment(Workspace& workspace, const api::Environment& environment) {
  Result<void> named = registry::CheckName("environment name", environment.name);
  if (!named) {
    Error error = std::move(named).error();
    error.id = "Environment.Name";
    return error;
  }
  TRY(CheckGates(environment));
  if (environment.approvers.size() > kApproversMax) {
    return Invalid("Environment.Invalid",
                   "more than " + std::to_string(kApproversMax) + " approvers");
  }
  TRY(registry::CheckName("alias", AliasOf(environment)));
  if (!environment.service.empty()) TRY(api::CheckServiceName(environment.service));
  const Json deployment = TRY(DeploymentOf(environment));
  const std::string target = TRY(TargetOf(environment, deployment));
  TRY(workspace.targets().Find(target));
  TRY(deployer::ParseDeployment(deployment, target));
  return {};
}

api::Environment ShownEnvironment(api::Environment environment) {
  const Result<Json> json = DeploymentOf(environment);
  const Result<std::string> target = json ? TargetOf(environment, *json) : json.error();
  if (!target) {
    environment.deployment = {};
    return environment;
  }
  const Result<deployer::Deployment> deployment = deployer::ParseDeployment(*json, *target);
  environment.target = *target;
  environment.deployment.json =
      deployment ? DumpJson(deployer::ToJson(*deployment, deployer::Secrets::kHidden)) : "";
  return environment;
}

void CompleteEnvironment(api::Environment& environment) {
  if (!environment.has_gates) environment.gates = {"endpoint"};
  environment.has_gates = true;
}

Result<api::Promotion> RequestPromotion(Workspace& workspace, const std::string& workspace_name,
                                        const api::CreatePromotion& wanted,
                                        const Principal& principal) {
  const api::Environment environment =
      TRY(workspace.store().GetEnvironment(workspace_name, wanted.environment));
  const Work work = TRY(MakeWork(workspace, environment, workspace_name, wanted.model));
  api::Promotion& promotion = work->promotion;
  promotion.id = RandomHex(8);
  promotion.requested_by = principal.name;
  promotion.note = wanted.note;
  promotion.state = "WaitingForApproval";
  const auto record = [&workspace, work] {
    return workspace.store().InsertPromotion(work->promotion);
  };
  if (environment.approvers.empty()) {
    TRY(Start(workspace, work, record));
    return work->begun;
  }
  TRY(record());
  return workspace.store().GetPromotion(workspace_name, promotion.id);
}

Result<api::Promotion> DecidePromotion(Workspace& workspace, const Decision& decision,
                                       const Principal& principal) {
  Store& store = workspace.store();
  const api::Promotion waiting = TRY(store.GetPromotion(decision.workspace, decision.id));
  const api::Environment environment =
      TRY(store.GetEnvironment(decision.workspace, waiting.environment));
  TRY(CheckApprover(environment, waiting, principal));
  api::Promotion decided = waiting;
  decided.decided_by = principal.name;
  decided.decided_time = FormatTime(workspace.clock().Now());
  decided.evidence.push_back(
      {.step = "approval",
       .state = decision.approved ? "Passed" : "Failed",
       .detail = principal.name + (decision.note.empty() ? "" : ": " + decision.note),
       .time = decided.decided_time});
  const auto still_waits = [&store, decision]() -> Result<void> {
    const api::Promotion now = TRY(store.GetPromotion(decision.workspace, decision.id));
    if (now.state != "WaitingForApproval") return Decided(now);
    return {};
  };
  if (!decision.approved) {
    decided.state = "Rejected";
    decided.ended_time = decided.decided_time;
    const auto refuse = [&]() -> Result<void> {
      TRY(still_waits());
      return store.SavePromotion(decided);
    };
    TRY(store.Transaction(refuse));
    return store.GetPromotion(decision.workspace, decision.id);
  }
  TRY(still_waits());
  const Work work = TRY(MakeWork(workspace, environment, decision.workspace, waiting.model));
  if (work->model.digest != waiting.model_digest) return Decided(waiting);
  decided.service = work->promotion.service;
  work->promotion = std::move(decided);
  TRY(Start(workspace, work, still_waits));
  return work->begun;
}

}  // namespace slipway::workspace
