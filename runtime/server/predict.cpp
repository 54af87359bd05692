// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/predict.h"

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/server/form.h"
#include "runtime/server/reply.h"

namespace slipway::server {
namespace {

/// The first media type of Accept that can be served; the request's own where any will do.
Result<std::string> ReplyType(std::string_view accept, const std::string& own) {
  if (Trim(accept).empty()) return own;
  for (const std::string& item : Split(accept, ',')) {
    const std::string type = MediaType(item);
    if (type == "*/*" || type == "application/*") return own;
    if (type == "application/json" || IsProtoType(type)) return type;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("Accept '{}' names no form there is", accept.substr(0, 100)),
               .id = "Request.MediaType",
               .fix = "accept application/json or application/x-protobuf"};
}

}  // namespace

bool IsProtoType(std::string_view media_type) {
  return media_type == "application/octet-stream" || media_type == "application/x-protobuf" ||
         media_type == "application/vnd.google.protobuf";
}

Result<http::Response> AnswerPredict(Call& call, const ServedModel& model) {
  const http::Request& request = call.request;
  std::string type = MediaType(request.headers.Get("Content-Type"));
  const bool proto = IsProtoType(type);
  if (!proto) type = "application/json";
  const std::string reply_type = TRY(ReplyType(request.headers.Get("Accept"), type));
  Question question = proto ? TRY(ReadPredictProto(request.body, model.model()))
                            : TRY(ReadPredictJson(request.body, model.model()));
  auto outcome = TRY(call.scorer.Run(model, question.feeds, question.outputs));
  http::Response response;
  response.headers.Set("Content-Type", reply_type);
  response.body = IsProtoType(reply_type)
                      ? TRY(WritePredictProto(model.model(), question, outcome.values))
                      : TRY(WritePredictJson(model.model(), question, outcome.values));
  SetRunTime(outcome.run_ms, response);
  return response;
}

}  // namespace slipway::server
