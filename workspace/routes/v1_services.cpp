// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "base/limits.h"
#include "workspace/service_keys.h"
#include "workspace/services.h"
#include "workspace/v1_control.h"
#include "workspace/v1_requests.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// Whether the service runs what the query asks for, by `imageId`, `imageName` and `computeType`.
bool Fits(const Call& call, const api::Service& service) {
  const std::string image_name = service.image.substr(0, service.image.find(':'));
  return V1Asks(call, "name", service.name) && V1Asks(call, "imageId", service.image) &&
         V1Asks(call, "imageName", image_name) && V1Asks(call, "computeType", service.compute_type);
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  PageRequest wanted{.limit = limits::kPageItems};
  std::vector<V1Item> items;
  do {
    const Page<ServiceRow> page = TRY(workspace.store().ListServices(call.Param("w"), wanted));
    for (const ServiceRow& row : page.items) {
      if (Fits(call, row.service)) items.push_back(V1Service(LookAtService(workspace, row)));
    }
    wanted.next = page.next;
  } while (!wanted.next.empty());
  return V1List(call, std::move(items), "UpdatedAtDesc");
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const ServiceRow row = TRY(workspace.store().GetService(call.Param("w"), call.Param("id")));
  return http::JsonResponse(200, V1Service(LookAtService(workspace, row)).json);
}

Result<http::Response> ListKeys(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const ServiceRow row = TRY(workspace.store().GetService(call.Param("w"), call.Param("id")));
  const api::ServiceKeys keys = TRY(GetKeys(row));
  return http::JsonResponse(
      200, DumpJson({{"primaryKey", keys.primary}, {"secondaryKey", keys.secondary}}));
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const api::CreateService wanted = TRY(ReadV1Service(call.request.body));
  return V1Accepted(TRY(StartServiceCreate(workspace, call.Param("w"), wanted)), call);
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const ServiceRow row = TRY(workspace.store().GetService(call.Param("w"), call.Param("id")));
  const api::Service& now = row.service;
  std::vector<std::string> tags;
  for (const auto& [name, value] : now.kv_tags) tags.push_back(name);
  const api::UpdateService wanted = TRY(ReadV1ServicePatch(call.request.body,
                                                           {.description = now.description,
                                                            .tags = std::move(tags),
                                                            .kv_tags = now.kv_tags,
                                                            .properties = now.properties},
                                                           now.image));
  return V1Accepted(TRY(StartServiceUpdate(workspace, call.Param("w"), now.name, wanted, now.etag)),
                    call);
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const auto started = StartServiceDelete(workspace, call.Param("w"), call.Param("id"), "");
  if (started) return V1Accepted(*started, call);
  return V1Deleted(started.error());
}

Result<http::Response> RegenerateKey(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const api::SetServiceKey wanted = TRY(ReadV1Key(call.request.body));
  TRY(SetKey(workspace, call.Param("w"), call.Param("id"), wanted));
  return http::JsonResponse(200, "{}");
}

}  // namespace

RouteList routes_v1_services() {
  static constexpr Route kRoutes[] = {
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services",
       "List the services in the form of v1", InV1Form<List>, Role::kReader},
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}",
       "Show a service in the form of v1", InV1Form<Show>, Role::kReader},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}/listkeys",
       "Read the keys of a service in the form of v1", InV1Form<ListKeys>, Role::kDeployer, false,
       true},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services",
       "Deploy an image as a service in the form of v1", InV1Form<Create>, Role::kDeployer},
      {"PATCH",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}",
       "Roll or change a service in the form of v1", InV1Form<Update>, Role::kDeployer},
      {"DELETE",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}",
       "Stop and delete a service in the form of v1", InV1Form<Delete>, Role::kDeployer},
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/services/{id}/"
       "regenerateKeys",
       "Replace a key of a service in the form of v1", InV1Form<RegenerateKey>, Role::kDeployer,
       false, true},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
