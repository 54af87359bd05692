// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/text.h"
#include "runtime/server/form.h"
#include "runtime/server/json_tensor.h"
#include "runtime/server/predict_tensor.h"
#include "runtime/server/proto_wire.h"

namespace slipway::server {
namespace {

using runtime::Tensor;

constexpr std::uint32_t kInputs = 2, kOutputFilter = 3, kOutputs = 1, kKey = 1, kValue = 2;

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Request.Invalid"};
}

Result<void> ReadInput(std::string name, std::string_view proto, const runtime::Model& model,
                       Question& question) {
  const runtime::ValueInfo* input = TRY(InputNamed(model, name));
  auto value = runtime::ReadProtoValue(std::as_bytes(std::span(proto)), input->type);
  if (!value) return Within(fmt::format("input '{}'", name), std::move(value).error());
  SetFeed(std::move(name), *std::move(value), question.feeds);
  return {};
}

Result<void> ReadInputsJson(JsonReader& reader, const runtime::Model& model, Question& question) {
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    auto proto = ReadTensorProtoJson(reader);
    if (!proto) return Within(fmt::format("input '{}'", name), std::move(proto).error());
    TRY(ReadInput(name, *proto, model, question));
  }
  return {};
}

Result<void> ReadFilterJson(JsonReader& reader, Question& question) {
  TRY(reader.BeginArray());
  while (TRY(reader.NextItem())) question.outputs.push_back(TRY(reader.String()));
  return {};
}

Result<void> ReadEntry(std::string_view entry, const runtime::Model& model, Question& question) {
  ProtoReader reader(entry);
  std::string_view key, value;
  while (!reader.AtEnd()) {
    const ProtoField field = TRY(reader.Next());
    if (field.wire != ProtoField::Wire::kBytes) continue;
    if (field.number == kKey) key = field.bytes;
    if (field.number == kValue) value = field.bytes;
  }
  return ReadInput(std::string(key), value, model, question);
}

/// Calls `write(name, tensor)` for each output that is a tensor.
template <class Write>
Result<void> ForTensors(const runtime::Model& model, const Question& question,
                        const std::vector<runtime::Value>& values, Write write) {
  const std::vector<std::string> names = OutputNames(model, question.outputs);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (const Tensor* tensor = values[i].tensor()) {
      TRY(write(names[i], *tensor));
    } else if (!question.outputs.empty()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("output '{}' is no tensor", names[i]),
                   .id = "Output.NoTensor",
                   .fix = "ask in the plain JSON form"};
    }
  }
  return {};
}

}  // namespace

Result<Question> ReadPredictJson(std::string_view body, const runtime::Model& model) {
  Question question;
  JsonReader reader(body);
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    if (name == "inputs") {
      TRY(ReadInputsJson(reader, model, question));
    } else if (name == "outputFilter" || name == "output_filter") {
      TRY(ReadFilterJson(reader, question));
    } else {
      return Bad(fmt::format("unknown member '{}', known: inputs, outputFilter", name));
    }
  }
  TRY(reader.Finish());
  return question;
}

Result<Question> ReadPredictProto(std::string_view body, const runtime::Model& model) {
  Question question;
  ProtoReader reader(body);
  while (!reader.AtEnd()) {
    const ProtoField field = TRY(reader.Next());
    if (field.wire != ProtoField::Wire::kBytes) continue;
    if (field.number == kInputs) TRY(ReadEntry(field.bytes, model, question));
    if (field.number == kOutputFilter) {
      if (!IsUtf8(field.bytes)) return Bad("output_filter is not UTF-8");
      question.outputs.emplace_back(field.bytes);
    }
  }
  return question;
}

Result<std::string> WritePredictJson(const runtime::Model& model, const Question& question,
                                     const std::vector<runtime::Value>& values) {
  std::string out = R"({"outputs":{)";
  const std::size_t begin = out.size();
  auto write = [&](const std::string& name, const Tensor& tensor) -> Result<void> {
    if (out.size() > begin) out += ',';
    AppendJsonString(name, out);
    out += ':';
    AppendTensorProtoJson(tensor, out);
    return {};
  };
  TRY(ForTensors(model, question, values, write));
  out += "}}";
  return out;
}

Result<std::string> WritePredictProto(const runtime::Model& model, const Question& question,
                                      const std::vector<runtime::Value>& values) {
  std::string out;
  auto write = [&](const std::string& name, const Tensor& tensor) -> Result<void> {
    std::string entry;
    AppendProtoBytes(kKey, name, entry);
    AppendProtoBytes(kValue, TRY(runtime::WriteTensorProto(tensor, "")), entry);
    AppendProtoBytes(kOutputs, entry, out);
    return {};
  };
  TRY(ForTensors(model, question, values, write));
  return out;
}

}  // namespace slipway::server
