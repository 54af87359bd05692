// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/etag.h"
#include "workspace/promotions.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  Page<api::Environment> page = TRY(workspace.store().ListEnvironments(call.Param("w"), wanted));
  for (api::Environment& item : page.items) item = ShownEnvironment(std::move(item));
  return PageResponse(page);
}

Result<api::Environment> Find(const Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return workspace.store().GetEnvironment(call.Param("w"), call.Param("name"));
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(ShownEnvironment(TRY(Find(call, workspace)))));
}

/// The etag that If-Match names must be the environment's now.
Result<void> CheckUnchanged(const Call& call, Workspace& workspace) {
  const std::string_view if_match = call.request.headers.Get("If-Match");
  if (if_match.empty()) return {};
  const api::Environment now = TRY(Find(call, workspace));
  return CheckIfMatch(if_match, now.etag, "environment \"" + now.name + "\"");
}

Result<http::Response> Put(Call& call, Workspace& workspace) {
  auto wanted = TRY(ReadBody<api::Environment>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  if (!wanted.name.empty() && wanted.name != call.Param("name")) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "field \"name\" is \"" + wanted.name + "\", the path says \"" +
                            call.Param("name") + "\"",
                 .id = "Request.Invalid"};
  }
  wanted.name = call.Param("name");
  CompleteEnvironment(wanted);
  TRY(CheckEnvironment(workspace, wanted));
  bool is_new = false;
  const auto put = [&]() -> Result<void> {
    TRY(CheckUnchanged(call, workspace));
    is_new = TRY(workspace.store().PutEnvironment(call.Param("w"), wanted));
    return {};
  };
  TRY(workspace.store().Transaction(put));
  return ObjectResponse(is_new ? 201 : 200, ToJson(ShownEnvironment(TRY(Find(call, workspace)))));
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  const auto remove = [&]() -> Result<void> {
    TRY(Find(call, workspace));
    TRY(CheckUnchanged(call, workspace));
    return workspace.store().DeleteEnvironment(call.Param("w"), call.Param("name"));
  };
  TRY(workspace.store().Transaction(remove));
  return NoContent();
}

}  // namespace

RouteList routes_environments() {
  static constexpr std::string_view kOne = "/api/v1/workspaces/{w}/environments/{name}";
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces/{w}/environments", "List the environments", List, Role::kReader},
      {"GET", kOne, "Show an environment", Show, Role::kReader},
      {"PUT", kOne, "Make or replace an environment", Put, Role::kOwner},
      {"DELETE", kOne, "Delete an environment; its services stay", Delete, Role::kOwner},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
