// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "base/limits.h"
#include "workspace/service_keys.h"
#include "workspace/services.h"
#include "workspace/v1_control.h"
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
  };
  return kRoutes;
}

}  // namespace slipway::workspace
