// SPDX-License-Identifier: Apache-2.0
// GET /          200 text "Healthy" while the process runs
// GET /healthz   same
// GET /readyz    200 once the golden samples are reproduced, else 503 and why
#include "runtime/server/json_tensor.h"
#include "runtime/server/reply.h"
#include "runtime/server/route.h"
#include "runtime/server/scorer.h"

namespace slipway::server {
namespace {

http::Response Healthy(Call&) {
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  response.body = "Healthy";
  return response;
}

std::string_view StateName(Readiness readiness) {
  switch (readiness) {
    case Readiness::kLoading:
      return "loading";
    case Readiness::kChecking:
      return "checking";
    case Readiness::kReady:
      return "ready";
    case Readiness::kWrong:
      return "wrong";
    case Readiness::kFailed:
      return "failed";
  }
  return "";
}

http::Response Ready(Call& call) {
  const ReadyState state = call.scorer.ready();
  std::string json = R"({"state": ")";
  json += StateName(state.readiness);
  json += R"(", "message": )";
  AppendJsonString(state.detail, json);
  json += "}";
  return http::JsonResponse(state.readiness == Readiness::kReady ? 200 : 503, std::move(json));
}

}  // namespace

RouteList routes_health() {
  static constexpr Route kRoutes[] = {
      {"GET", "/", "Whether the server is alive", Healthy},
      {"GET", "/healthz", "Whether the server is alive", Healthy},
      {"GET", "/readyz", "Whether the golden samples are reproduced", Ready},
  };
  return kRoutes;
}

}  // namespace slipway::server
