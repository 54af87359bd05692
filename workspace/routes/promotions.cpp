// SPDX-License-Identifier: Apache-2.0
#include "workspace/promotions.h"

#include <nlohmann/json.hpp>
#include <string>

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

/// 202 with where to follow it; 201 and 200 while nothing runs.
http::Response PromotionResponse(int status, const api::Promotion& promotion) {
  http::Response response =
      ObjectResponse(promotion.state == "Running" ? 202 : status, ToJson(promotion));
  if (!promotion.operation_id.empty()) {
    response.headers.Set("Operation-Location",
                         std::string(api::kBase) + "/operations/" + promotion.operation_id);
  }
  return response;
}

Result<http::Response> List(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const PageRequest wanted = TRY(ReadPage(call));
  return PageResponse(TRY(
      workspace.store().ListPromotions(call.Param("w"), call.target.Query("environment"), wanted)));
}

Result<http::Response> Create(Call& call, Workspace& workspace) {
  const auto wanted = TRY(ReadBody<api::CreatePromotion>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return PromotionResponse(
      201, TRY(RequestPromotion(workspace, call.Param("w"), wanted, call.principal)));
}

Result<http::Response> Show(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return ObjectResponse(
      200, ToJson(TRY(workspace.store().GetPromotion(call.Param("w"), call.Param("id")))));
}

Result<http::Response> Decide(Call& call, Workspace& workspace, bool approved) {
  const auto wanted = TRY(ReadBody<api::DecidePromotion>(call));
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  const Decision decision{.workspace = call.Param("w"),
                          .id = call.Param("id"),
                          .approved = approved,
                          .note = wanted.note};
  return PromotionResponse(200, TRY(DecidePromotion(workspace, decision, call.principal)));
}

Result<http::Response> Approve(Call& call, Workspace& workspace) {
  return Decide(call, workspace, true);
}

Result<http::Response> Reject(Call& call, Workspace& workspace) {
  return Decide(call, workspace, false);
}

}  // namespace

RouteList routes_promotions() {
  static constexpr std::string_view kAll = "/api/v1/workspaces/{w}/promotions";
  static constexpr Route kRoutes[] = {
      {"GET", kAll, "List the promotions", List, Role::kReader},
      {"POST", kAll, "Promote a model version to an environment", Create, Role::kDeployer},
      {"GET", "/api/v1/workspaces/{w}/promotions/{id}", "Show a promotion with its evidence", Show,
       Role::kReader},
      {"POST", "/api/v1/workspaces/{w}/promotions/{id}/approve",
       "Agree to a promotion, which then runs", Approve, Role::kContributor},
      {"POST", "/api/v1/workspaces/{w}/promotions/{id}/reject", "Refuse a promotion", Reject,
       Role::kContributor},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
