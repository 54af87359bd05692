// SPDX-License-Identifier: Apache-2.0
// GET /          200 text "Healthy" while the process runs
// GET /healthz   same
// OPTIONS /      empty
// GET /readyz    200 once the golden samples are reproduced or, of a script, the workers have run
//                init(), else 503 and why
#include "runtime/server/json_tensor.h"
#include "runtime/server/reply.h"
#include "runtime/server/route.h"
#include "runtime/server/scorer.h"
#include "runtime/server/script/host.h"

namespace slipway::server {
namespace {

http::Response Healthy(Call&) {
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; charset=utf-8");
  response.body = "Healthy";
  return response;
}

http::Response Nothing(Call&) { return {}; }

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
  const ReadyState state = call.script != nullptr ? call.script->ready() : call.scorer.ready();
  std::string json = R"({"state": ")";
  json += StateName(state.readiness);
  json += R"(", "message": )";
  AppendJsonString(state.detail, json);
  json += '}';
  return http::JsonResponse(state.readiness == Readiness::kReady ? 200 : 503, std::move(json));
}

}  // namespace

RouteList routes_health() {
  static constexpr Route kRoutes[] = {
      {"GET", "/", "Whether the server is alive", Healthy, Serves::kAll, Access::kOpen},
      {"OPTIONS", "/", "What a browser asks first", Nothing, Serves::kAll, Access::kOpen},
      {"GET", "/healthz", "Whether the server is alive", Healthy, Serves::kAll, Access::kOpen},
      {"GET", "/readyz",
       "Whether the golden samples are reproduced, or every worker has run init()", Ready,
       Serves::kAll, Access::kOpen},
  };
  return kRoutes;
}

}  // namespace slipway::server
