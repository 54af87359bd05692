// SPDX-License-Identifier: Apache-2.0
#include "workspace/service_keys.h"

#include <nlohmann/json.hpp>

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const ServiceRow row = TRY(workspace.store().GetService(call.Param("w"), call.Param("name")));
  return ObjectResponse(200, ToJson(TRY(GetKeys(row))));
}

Result<http::Response> Set(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::SetServiceKey>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return ObjectResponse(
      200, ToJson(TRY(SetKey(workspace, call.Param("w"), call.Param("name"), wanted))));
}

}  // namespace

RouteList routes_service_keys() {
  static constexpr std::string_view kKeys = "/api/v1/workspaces/{w}/services/{name}/keys";
  static constexpr Route kRoutes[] = {
      {"GET", kKeys, "Read the keys that callers of a service send", Show, Role::kDeployer, false,
       true},
      {"POST", kKeys, "Replace a key of a service", Set, Role::kDeployer, false, true},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
