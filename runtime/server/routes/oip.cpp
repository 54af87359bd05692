// SPDX-License-Identifier: Apache-2.0
// GET  /v2, /v2/health/live, /v2/health/ready
// GET  /v2/models/{model}[/versions/{version}][/ready]
// POST /v2/models/{model}[/versions/{version}]/infer
// Open Inference Protocol, version 2.
#include <fmt/format.h>

#include <charconv>

#include "runtime/server/json_tensor.h"
#include "runtime/server/oip_form.h"
#include "runtime/server/reply.h"
#include "runtime/server/route.h"

namespace slipway::server {
namespace {

constexpr const char* kHeaderLength = "Inference-Header-Content-Length";

http::Response Server(Call& call) {
  std::string json = R"({"name":)";
  AppendJsonString(call.scorer.environment().service_name, json);
  json += R"(,"version":")" SLIPWAY_VERSION R"(","extensions":["binary_tensor_data"]})";
  return http::JsonResponse(200, std::move(json));
}

http::Response Live(Call&) { return http::JsonResponse(200, R"({"live":true})"); }

http::Response Ready(Call& call) {
  const ReadyState state = call.scorer.ready();
  if (state.readiness == Readiness::kReady) return http::JsonResponse(200, R"({"ready":true})");
  return TextReply(503, "error", state.detail.empty() ? "loading" : state.detail);
}

http::Response ModelReady(Call& call) {
  if (call.scorer.ready().readiness != Readiness::kReady) return Ready(call);
  auto model = call.scorer.Find(call.Param("model"), call.Param("version"));
  return model ? Ready(call) : OipErrorReply(model.error());
}

http::Response Metadata(Call& call) {
  auto model = call.scorer.Find(call.Param("model"), call.Param("version"));
  if (!model) return OipErrorReply(model.error());
  return http::JsonResponse(200, OipMetadata(**model, call.scorer.models()));
}

Result<std::int64_t> HeaderBytes(const http::Request& request) {
  const std::string_view text = request.headers.Get(kHeaderLength);
  if (text.empty()) return -1;
  std::int64_t bytes = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size() || bytes < 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("header {} is '{}', a number of bytes is wanted",
                                        kHeaderLength, text.substr(0, 40))};
  }
  return bytes;
}

Result<http::Response> Answer(Call& call) {
  if (const auto encoding = MediaType(call.request.headers.Get("Content-Encoding"));
      !encoding.empty() && encoding != "identity") {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("Content-Encoding '{}' is not taken", encoding)};
  }
  const ServedModel* model = TRY(call.scorer.Find(call.Param("model"), call.Param("version")));
  const std::int64_t header_bytes = TRY(HeaderBytes(call.request));
  OipRequest request = TRY(ReadOip(call.request.body, header_bytes));
  auto outcome = TRY(call.scorer.Run(*model, request.question.feeds, request.question.outputs));
  OipReply reply = TRY(WriteOip(*model, request, outcome.values));
  http::Response response = http::JsonResponse(200, std::move(reply.body));
  if (reply.header_bytes >= 0) {
    response.headers.Set("Content-Type", "application/octet-stream");
    response.headers.Set(kHeaderLength, std::to_string(reply.header_bytes));
  }
  SetRunTime(outcome.run_ms, response);
  return response;
}

http::Response Infer(Call& call) {
  auto response = Answer(call);
  return response ? *std::move(response) : OipErrorReply(response.error());
}

}  // namespace

RouteList routes_oip() {
  static constexpr Route kRoutes[] = {
      {"GET", "/v2", "Server metadata", Server, Serves::kModels, Access::kOpen},
      {"GET", "/v2/health/live", "Whether the server is alive", Live, Serves::kModels,
       Access::kOpen},
      {"GET", "/v2/health/ready", "Whether every model is ready", Ready, Serves::kModels,
       Access::kOpen},
      {"GET", "/v2/models/{model}", "Model metadata", Metadata, Serves::kModels},
      {"GET", "/v2/models/{model}/versions/{version}", "Model metadata", Metadata, Serves::kModels},
      {"GET", "/v2/models/{model}/ready", "Whether the model is ready", ModelReady, Serves::kModels,
       Access::kOpen},
      {"GET", "/v2/models/{model}/versions/{version}/ready", "Whether the model is ready",
       ModelReady, Serves::kModels, Access::kOpen},
      {"POST", "/v2/models/{model}/infer", "Inference", Infer, Serves::kModels},
      {"POST", "/v2/models/{model}/versions/{version}/infer", "Inference", Infer, Serves::kModels},
  };
  return kRoutes;
}

}  // namespace slipway::server
