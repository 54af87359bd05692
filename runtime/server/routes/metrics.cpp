// SPDX-License-Identifier: Apache-2.0
// GET /metrics   Prometheus text
#include "runtime/server/metrics.h"

#include "runtime/server/route.h"
#include "runtime/server/scorer.h"
#include "runtime/server/script/host.h"

namespace slipway::server {
namespace {

http::Response Text(Call& call) {
  http::Response response;
  response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = call.scorer.metrics().Text();
  if (call.script != nullptr) response.body += call.script->MetricsText();
  return response;
}

}  // namespace

RouteList routes_metrics() {
  static constexpr Route kRoutes[] = {
      {"GET", "/metrics", "Metrics as Prometheus text", Text, Serves::kAll, Access::kOpen}};
  return kRoutes;
}

}  // namespace slipway::server
