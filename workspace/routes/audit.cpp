// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> ListOf(const Call& call, Workspace& workspace, std::string_view name) {
  const PageRequest wanted = TRY(ReadPage(call));
  return PageResponse(TRY(workspace.store().ListAudit(name, call.target.Query("actor"), wanted)));
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return ListOf(call, workspace, call.Param("w"));
}

Result<http::Response> ListAll(Call& call, Workspace& workspace) {
  TRY(RequireWorkspace(call.principal, ""));
  return ListOf(call, workspace, "");
}

}  // namespace

RouteList routes_audit() {
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/audit", "List who changed what in a workspace", List,
       Role::kOwner},
      {"GET", "/api/v1/audit", "List who changed what anywhere", ListAll, Role::kOwner},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
