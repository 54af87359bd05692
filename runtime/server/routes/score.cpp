// SPDX-License-Identifier: Apache-2.0
// POST    /score   PredictRequest (JSON or protobuf), Open Inference request (JSON), plain JSON
// GET     /score   plain JSON by query parameters
// OPTIONS /score   empty
// Where a script answers instead of the models, they are its own.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "runtime/server/form.h"
#include "runtime/server/json_reader.h"
#include "runtime/server/json_tensor.h"
#include "runtime/server/oip_form.h"
#include "runtime/server/predict.h"
#include "runtime/server/reply.h"
#include "runtime/server/script/answer.h"

namespace slipway::server {
namespace {

constexpr std::string_view kJsonType = "application/json";

enum class Form : std::uint8_t { kPredict, kOip, kPlain };

bool HasInput(const runtime::Model& model, std::string_view name) {
  const auto inputs = model.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [name](const runtime::ValueInfo& input) { return input.name == name; });
}

Result<Form> FormOfInputs(JsonReader reader, const runtime::Model& model) {
  using Kind = JsonReader::Kind;
  if (reader.Peek() == Kind::kObject) return Form::kPredict;
  if (reader.Peek() == Kind::kArray && !HasInput(model, "inputs")) return Form::kOip;
  return Form::kPlain;
}

/// Tells the form by the first member that decides, without reading large ones.
Result<Form> FormOf(std::string_view body, const runtime::Model& model) {
  JsonReader reader(body);
  if (reader.Peek() == JsonReader::Kind::kNothing && reader.position() == body.size()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "POST body is empty. Expecting a JSON dictionary.",
                 .id = "Request.Empty"};
  }
  if (reader.Peek() != JsonReader::Kind::kObject) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "POST body should be a JSON dictionary.",
                 .id = "Request.Invalid"};
  }
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    if (name == "inputs") return FormOfInputs(reader, model);
    if (name == "outputFilter" || name == "output_filter") return Form::kPredict;
    if (name == "data" || HasInput(model, name)) return Form::kPlain;
    TRY(reader.Skip());
  }
  return Form::kPlain;
}

Result<http::Response> AnswerPlain(Call& call, const ServedModel& model, std::string_view body) {
  PlainQuestion plain = TRY(ReadPlain(body, model.model()));
  auto outcome = TRY(call.scorer.Run(model, plain.question.feeds, {}));
  http::Response response =
      http::JsonResponse(200, TRY(WritePlain(model.model(), plain.by_name, outcome.values)));
  SetRunTime(outcome.run_ms, response);
  return response;
}

Result<http::Response> AnswerOip(Call& call, const ServedModel& model) {
  OipRequest request = TRY(ReadOip(call.request.body, -1));
  auto outcome = TRY(call.scorer.Run(model, request.question.feeds, request.question.outputs));
  OipReply reply = TRY(WriteOip(model, request, outcome.values));
  if (reply.header_bytes >= 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "binary outputs are not given at /score",
                 .fix = "ask /v2/models/" + model.name + "/infer"};
  }
  http::Response response = http::JsonResponse(200, std::move(reply.body));
  SetRunTime(outcome.run_ms, response);
  return response;
}

Result<http::Response> AnswerPost(Call& call) {
  const ServedModel* model = TRY(call.scorer.Find("", ""));
  const std::string_view type = call.request.headers.Get("Content-Type");
  if (type != kJsonType && IsProtoType(MediaType(type))) {
    return AnswerPredict(call, *model);
  }
  switch (TRY(FormOf(call.request.body, model->model()))) {
    case Form::kPredict:
      return AnswerPredict(call, *model);
    case Form::kOip:
      return AnswerOip(call, *model);
    case Form::kPlain:
      return AnswerPlain(call, *model, call.request.body);
  }
  return Error{.message = "form not known"};
}

/// Query parameters as a JSON object: values that are JSON as they are, others as strings, names
/// that repeat as lists.
std::string QueryAsJson(const http::Target& target) {
  std::string out = "{";
  std::vector<std::string> done;
  for (const auto& [name, first] : target.query) {
    if (std::find(done.begin(), done.end(), name) != done.end()) continue;
    if (!done.empty()) out += ',';
    done.push_back(name);
    AppendJsonString(name, out);
    out += ':';
    const auto repeats =
        std::count_if(target.query.begin(), target.query.end(),
                      [&key = name](const auto& item) { return item.first == key; });
    if (repeats > 1) out += '[';
    std::size_t written = 0;
    for (const auto& [key, value] : target.query) {
      if (key != name) continue;
      if (written++ > 0) out += ',';
      if (ParseJson(value)) {
        out += value;
      } else {
        AppendJsonString(value, out);
      }
    }
    if (repeats > 1) out += ']';
  }
  return out + "}";
}

Result<http::Response> AnswerGet(Call& call) {
  const ServedModel* model = TRY(call.scorer.Find("", ""));
  return AnswerPlain(call, *model, QueryAsJson(call.target));
}

http::Response Post(Call& call) {
  if (call.script != nullptr) return AnswerByScript(call);
  auto response = AnswerPost(call);
  return response ? *std::move(response) : MessageReply(response.error());
}

http::Response Get(Call& call) {
  if (call.script != nullptr) return AnswerByScript(call);
  auto response = AnswerGet(call);
  return response ? *std::move(response) : MessageReply(response.error());
}

http::Response Options(Call& call) {
  return call.script != nullptr ? AnswerByScript(call) : http::Response{};
}

}  // namespace

RouteList routes_score() {
  static constexpr Route kRoutes[] = {
      {"POST", "/score", "Score the model", Post},
      {"GET", "/score", "Score the model with inputs from the query", Get},
      {"OPTIONS", "/score", "What a browser asks before it posts", Options, Serves::kAll,
       Access::kOpen},
  };
  return kRoutes;
}

}  // namespace slipway::server
