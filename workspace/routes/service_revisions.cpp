// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/service_traffic.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<ServiceRow> Find(const Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return workspace.store().GetService(call.Param("w"), call.Param("name"));
}

std::string IfMatch(const Call& call) { return std::string(call.request.headers.Get("If-Match")); }

Result<http::Response> ShowTraffic(Call& call, Workspace& workspace) {
  const ServiceRow row = TRY(Find(call, workspace));
  Json shown = ToJson(api::Traffic{.traffic = row.service.traffic});
  shown["etag"] = row.service.etag;
  return ObjectResponse(200, shown);
}

Result<http::Response> SetTraffic(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::Traffic>(call));
  TRY(Find(call, workspace));
  return AcceptedResponse(
      TRY(StartTraffic(workspace, call.Param("w"), call.Param("name"), wanted, IfMatch(call))));
}

Result<http::Response> ListRevisions(Call& call, Workspace& workspace) {
  const ServiceRow row = TRY(Find(call, workspace));
  std::vector<Json> items;
  for (api::Revision& revision :
       TRY(workspace.store().ListRevisions(row.workspace, row.service.name))) {
    if (!IsSplit(row) && revision.revision == row.service.revision) revision.percent = 100;
    items.push_back(ToJson(revision));
  }
  return ListResponse(std::move(items), "");
}

Result<http::Response> RollBack(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::RollBack>(call));
  TRY(Find(call, workspace));
  return AcceptedResponse(
      TRY(StartRollBack(workspace, call.Param("w"), call.Param("name"), wanted, IfMatch(call))));
}

}  // namespace

RouteList routes_service_revisions() {
  static constexpr std::string_view kTraffic = "/api/v1/workspaces/{w}/services/{name}/traffic";
  static constexpr std::string_view kRevisions = "/api/v1/workspaces/{w}/services/{name}/revisions";
  static constexpr Route kRoutes[] = {
      {"GET", kTraffic, "Show which revisions get how many of a hundred requests", ShowTraffic,
       Role::kReader},
      {"PUT", kTraffic, "Divide requests between revisions", SetTraffic, Role::kDeployer},
      {"GET", kRevisions, "List what a service runs and ran", ListRevisions, Role::kReader},
      {"POST", kRevisions, "Make a revision that is as an earlier one was", RollBack,
       Role::kDeployer},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
