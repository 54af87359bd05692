// SPDX-License-Identifier: Apache-2.0
// GET /openapi.json              every route
// GET /swagger.json[?version=N]  2 (the default) or 3
#include "runtime/server/openapi.h"

#include "runtime/server/reply.h"
#include "runtime/server/script/answer.h"

namespace slipway::server {
namespace {

http::Response OpenApi(Call& call) {
  if (call.script != nullptr) {
    call.target.query = {{"version", "3"}};
    return SwaggerOfScript(call);
  }
  return http::JsonResponse(
      200, OpenApiText(AllRoutes(), call.scorer.models(), call.scorer.environment()));
}

http::Response Swagger(Call& call) {
  if (call.script != nullptr) return SwaggerOfScript(call);
  const std::string version = call.target.Query("version", "2");
  if (version == "3") return OpenApi(call);
  if (version == "2") {
    return http::JsonResponse(200, SwaggerText(call.scorer.models(), call.scorer.environment()));
  }
  return TextReply(404, "message", "swagger version " + version + " is not there, 2 and 3 are");
}

}  // namespace

RouteList routes_openapi() {
  static constexpr Route kRoutes[] = {
      {"GET", "/openapi.json", "This description as OpenAPI 3", OpenApi},
      {"GET", "/swagger.json", "What the service takes and gives", Swagger},
  };
  return kRoutes;
}

}  // namespace slipway::server
