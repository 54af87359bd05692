// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "base/limits.h"
#include "workspace/archive_files.h"
#include "workspace/model_json.h"
#include "workspace/models.h"
#include "workspace/v1_control.h"
#include "workspace/v1_requests.h"
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

Result<http::Response> Register(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  V1ModelRequest wanted = TRY(ReadV1Model(call.request.body, call.Param("w")));
  if (!wanted.archive.empty()) {
    const Digest archive = TRY(Digest::Parse(wanted.archive));
    wanted.model.files = TRY(UnpackToBlobs(workspace, archive));
  }
  const registry::ModelVersion model = TRY(RegisterModel(workspace, call.Param("w"), wanted.model));
  return http::JsonResponse(200, V1Model(ModelOf(model), call).json);
}

Result<http::Response> Update(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  const api::Model now = ModelOf(TRY(FindModel(workspace, call.Param("w"), name)));
  const api::UpdateModel wanted =
      TRY(ReadV1Patch(call.request.body, {.description = now.description,
                                          .tags = now.tags,
                                          .kv_tags = now.kv_tags,
                                          .properties = now.properties}));
  // What the patch was made for is what it changes.
  const registry::ModelVersion model =
      TRY(UpdateModel(workspace, call.Param("w"), name, wanted, now.etag));
  return http::JsonResponse(200, V1Model(ModelOf(model), call).json);
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const VersionedName name = TRY(V1Id(call));
  return V1Deleted(DeleteModel(workspace, call.Param("w"), name, ""));
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
      {"POST",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/models",
       "Register a blob as a model in the form of v1", InV1Form<Register>, Role::kContributor},
      {"PATCH",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/models/{id}",
       "Change what is told of a model version in the form of v1", InV1Form<Update>,
       Role::kContributor},
      {"DELETE",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/models/{id}",
       "Delete a model version in the form of v1", InV1Form<Delete>, Role::kContributor},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
