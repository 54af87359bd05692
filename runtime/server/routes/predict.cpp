// SPDX-License-Identifier: Apache-2.0
// POST /v1/models/{model}/versions/{version}:predict   ONNX Runtime Server's wire form
// POST /v1/models/{model}:predict                      the newest version
#include "runtime/server/predict.h"

#include <fmt/format.h>

#include "runtime/server/reply.h"

namespace slipway::server {
namespace {

Result<http::Response> Answer(Call& call) {
  const std::string type = MediaType(call.request.headers.Get("Content-Type"));
  if (type != "application/json" && !IsProtoType(type)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = type.empty() ? std::string("header Content-Type is missing")
                                         : fmt::format("Content-Type '{}' is not known", type),
                 .id = "Request.MediaType",
                 .fix = "send application/json or application/x-protobuf"};
  }
  const ServedModel* model = TRY(call.scorer.Find(call.Param("model"), call.Param("version")));
  return AnswerPredict(call, *model);
}

http::Response Predict(Call& call) {
  auto response = Answer(call);
  return response ? *std::move(response) : PredictErrorReply(response.error());
}

}  // namespace

RouteList routes_predict() {
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/models/{model}/versions/{version}:predict", "Score one version of a model",
       Predict, Serves::kModels},
      {"POST", "/v1/models/{model}:predict", "Score the newest version of a model", Predict,
       Serves::kModels},
  };
  return kRoutes;
}

}  // namespace slipway::server
