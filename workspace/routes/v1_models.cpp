// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "base/limits.h"
#include "workspace/model_json.h"
#include "workspace/v1_control.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  registry::ModelFilter filter{.name = call.target.Query("name"), .limit = limits::kPageItems};
  std::vector<V1Item> items;
  do {
    const registry::ModelPage page = TRY(workspace.registry().List(call.Param("w"), filter));
    for (const registry::ModelVersion& version : page.models) {
      if (!V1Asks(call, "framework", version.framework)) continue;
      if (!V1Asks(call, "description", version.description)) continue;
      items.push_back(V1Model(ModelOf(version), call));
    }
    filter.next = page.next;
  } while (!filter.next.empty());
  return V1List(call, std::move(items), "CreatedAtDesc");
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  const registry::ModelVersion found =
      TRY(workspace.registry().Get(call.Param("w"), name.name, name.version));
  return http::JsonResponse(200, V1Model(ModelOf(found), call).json);
}

}  // namespace

RouteList routes_v1_models() {
  static constexpr Route kRoutes[] = {
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/models",
       "List model versions in the form of v1", InV1Form<List>, Role::kReader},
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/models/{id}",
       "Show a model version in the form of v1", InV1Form<Show>, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
