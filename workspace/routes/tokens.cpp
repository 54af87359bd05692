// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/digest.h"
#include "registry/registry.h"
#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::int64_t kExpiryMax = std::int64_t{10} * 366 * 24 * 3600;

Result<void> CheckToken(const api::CreateToken& wanted) {
  Result<void> named = registry::CheckName("token name", wanted.name);
  if (!named) {
    Error error = std::move(named).error();
    error.id = "Token.Name";
    return error;
  }
  if (wanted.expires_in_seconds >= 0 && wanted.expires_in_seconds <= kExpiryMax) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = "expires_in_seconds " + std::to_string(wanted.expires_in_seconds) +
                          " is not in 0 to " + std::to_string(kExpiryMax),
               .id = "Request.Invalid"};
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::CreateToken>(call));
  TRY(CheckToken(wanted));
  const Role role = TRY(RoleFromName(wanted.role));
  if (wanted.all_workspaces) TRY(RequireWorkspace(call.principal, ""));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const TokenText text = MakeTokenText();
  const TimePoint now = workspace.clock().Now();
  TokenRow row{.token = {}, .secret_digest = Digest::OfText(text.secret).text()};
  row.token.id = text.id;
  row.token.name = wanted.name;
  row.token.role = RoleName(role);
  row.token.workspace = wanted.all_workspaces ? "" : call.Param("w");
  row.token.created_by = call.principal.name;
  row.token.created_time = FormatTime(now);
  if (wanted.expires_in_seconds > 0) {
    row.token.expires_time = FormatTime(now + std::chrono::seconds(wanted.expires_in_seconds));
  }
  TRY(workspace.store().InsertToken(row));
  api::Token made = TRY(workspace.store().GetToken(text.id)).token;
  made.token = FormatToken(text);
  return ObjectResponse(201, ToJson(made));
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  const bool of_all = call.principal.workspace.empty();
  return PageResponse(TRY(workspace.store().ListTokens(call.Param("w"), of_all, wanted)));
}

/// By its id, or by the name it has until it is revoked.
Result<http::Response> Revoke(Call& call, Workspace& workspace) {
  const api::Token token = TRY(workspace.store().FindToken(call.Param("id"))).token;
  TRY(RequireWorkspace(call.principal, token.workspace));
  TRY(workspace.store().RevokeToken(token.id));
  return NoContent();
}

}  // namespace

RouteList routes_tokens() {
  static constexpr std::string_view kTokens = "/api/v1/workspaces/{w}/tokens";
  static constexpr Route kRoutes[] = {
      {"GET", kTokens, "List the tokens, without what is sent", List, Role::kOwner},
      {"POST", kTokens, "Make a token; its text is told this once", Create, Role::kOwner, false,
       true},
      {"DELETE", "/api/v1/workspaces/{w}/tokens/{id}", "Revoke a token, by id or name", Revoke,
       Role::kOwner},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
