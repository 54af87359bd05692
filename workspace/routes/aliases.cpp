// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const std::string& alias = call.Param("alias");
  const std::int64_t version =
      TRY(workspace.registry().GetAlias(call.Param("w"), call.Param("name"), alias));
  return ObjectResponse(200, ToJson(api::Alias{alias, version}));
}

Result<http::Response> Set(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::SetAlias>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const std::string& alias = call.Param("alias");
  TRY(workspace.registry().SetAlias(call.Param("w"), call.Param("name"), alias, wanted.version,
                                    wanted.expected));
  return ObjectResponse(200, ToJson(api::Alias{alias, wanted.version}));
}

}  // namespace

RouteList routes_aliases() {
  static constexpr std::string_view kPath = "/api/v1/workspaces/{w}/models/{name}/aliases/{alias}";
  static constexpr Route kRoutes[] = {
      {"GET", kPath, "Show which version an alias points at", Show, Role::kReader},
      {"PUT", kPath, "Move an alias, if it points where it is expected to", Set, Role::kDeployer},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
