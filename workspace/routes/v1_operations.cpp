// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "workspace/v1_control.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(V1Workspace(call, workspace));
  const api::Operation operation = TRY(workspace.operations().Get(call.Param("id")));
  if (operation.workspace != call.Param("w")) {
    return Error{.code = Code::kNotFound,
                 .message = "operation \"" + operation.id + "\" is not of this workspace",
                 .id = "Operation.NotFound"};
  }
  return http::JsonResponse(200, V1Operation(operation, call));
}

}  // namespace

RouteList routes_v1_operations() {
  static constexpr Route kRoutes[] = {
      {"GET",
       "/api/modelmanagement/v1.0/subscriptions/{s}/resourceGroups/{rg}/providers/"
       "Microsoft.MachineLearningServices/workspaces/{w}/operations/{id}",
       "Show an operation in the form of v1", InV1Form<Show>, Role::kReader},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
