// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "workspace/answers.h"
#include "workspace/metrics.h"
#include "workspace/openapi.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

Result<http::Response> Alive(Call&, Workspace&) {
  return http::JsonResponse(200, R"({"status":"alive"})");
}

Result<http::Response> Ready(Call&, Workspace& workspace) {
  TRY(workspace.store().Ping());
  return http::JsonResponse(200, R"({"status":"ready"})");
}

Result<http::Response> Measure(Call&, Workspace& workspace) {
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = workspace.metrics().Text(workspace.operations().counts());
  return response;
}

Result<http::Response> OpenApi(Call&, Workspace&) {
  return http::JsonResponse(200, DumpJson(DescribeApi(), 2));
}

}  // namespace

RouteList routes_health() {
  static constexpr Route kRoutes[] = {
      {"GET", "/healthz", "Say that the service is alive", Alive},
      {"GET", "/readyz", "Say whether the service can work", Ready},
      {"GET", "/metrics", "Numbers for Prometheus", Measure},
      {"GET", "/openapi.json", "Describe this API", OpenApi},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
