// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/etag.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// 2 to 32 letters, digits, `-` and `_`, beginning with a letter or digit.
Result<void> CheckWorkspaceName(const std::string& name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto fits = [&](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; };
  if (name.size() >= 2 && name.size() <= 32 && is_alphanumeric(name[0]) &&
      std::all_of(name.begin(), name.end(), fits)) {
    return {};
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "workspace name \"" + name +
                          "\" must have 2 to 32 letters, digits, \"-\" and \"_\", and begin with a "
                          "letter or digit",
               .id = "Workspace.Name"};
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  TRY(RequireWorkspace(call.principal, ""));
  const auto wanted = TRY(ReadBody<api::CreateWorkspace>(call));
  TRY(CheckWorkspaceName(wanted.name));
  Result<api::Workspace> created = workspace.store().CreateWorkspace(wanted);
  if (created) return ObjectResponse(201, ToJson(*created));
  if (!wanted.exist_ok || created.error().code != Code::kAlreadyExists) {
    return std::move(created).error();
  }
  return ObjectResponse(200, ToJson(TRY(workspace.store().GetWorkspace(wanted.name))));
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  const PageRequest wanted = TRY(ReadPage(call));
  const std::string& only = call.principal.workspace;
  if (!only.empty()) {
    return PageResponse(Page<api::Workspace>{{TRY(workspace.store().GetWorkspace(only))}, {}});
  }
  return PageResponse(TRY(workspace.store().ListWorkspaces(wanted)));
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  return ObjectResponse(200, ToJson(TRY(workspace.store().GetWorkspace(call.Param("w")))));
}

/// In one transaction, so that nothing can come into it in between.
Result<void> DeleteEmpty(const Call& call, Workspace& workspace) {
  const std::string& name = call.Param("w");
  const api::Workspace found = TRY(workspace.store().GetWorkspace(name));
  TRY(CheckIfMatch(call.request.headers.Get("If-Match"), found.etag, "workspace \"" + name + "\""));
  const registry::ModelPage models = TRY(workspace.registry().List(name, {.limit = 1}));
  if (!models.models.empty()) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = "workspace \"" + name + "\" has models, such as \"" +
                            models.models.front().id + "\"",
                 .id = "Workspace.NotEmpty",
                 .fix = "delete them first"};
  }
  return workspace.store().DeleteWorkspace(name);
}

Result<http::Response> Delete(Call& call, Workspace& workspace) {
  TRY(workspace.store().Transaction([&] { return DeleteEmpty(call, workspace); }));
  return NoContent();
}

}  // namespace

RouteList routes_workspaces() {
  static constexpr Route kRoutes[] = {
      {"GET", "/api/v1/workspaces", "List the workspaces", List, Role::kReader},
      {"POST", "/api/v1/workspaces", "Make a workspace", Create},
      {"GET", "/api/v1/workspaces/{w}", "Show a workspace", Show, Role::kReader},
      {"DELETE", "/api/v1/workspaces/{w}", "Delete a workspace that is empty", Delete},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
