// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "runtime/server/form.h"
#include "runtime/server/json_reader.h"
#include "runtime/server/json_tensor.h"

namespace slipway::server {
namespace {

/// What answers of few numbers take.
constexpr std::size_t kFewBytes = 256;

Result<runtime::Value> ReadInput(JsonReader& reader, const runtime::ValueInfo& input) {
  if (input.type.kind != runtime::TypeInfo::Kind::kTensor) {
    return Error{.code = Code::kUnimplemented,
                 .message = fmt::format("input '{}' is {}, which has no JSON form", input.name,
                                        runtime::TypeText(input.type))};
  }
  auto tensor = ReadNested(reader, input.type.dtype);
  if (!tensor) {
    return Within(
        fmt::format("input '{}' wants {}", input.name, runtime::ShapedTypeText(input.type)),
        std::move(tensor).error());
  }
  return runtime::Value(*std::move(tensor));
}

bool HasInput(const runtime::Model& model, std::string_view name) {
  const auto inputs = model.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [name](const runtime::ValueInfo& input) { return input.name == name; });
}

}  // namespace

Result<PlainQuestion> ReadPlain(std::string_view body, const runtime::Model& model) {
  PlainQuestion plain;
  const bool data_is_input = HasInput(model, "data");
  JsonReader reader(body);
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    if (name == "data" && !data_is_input) {
      if (model.inputs().size() != 1) {
        return Error{.code = Code::kInvalidArgument,
                     .message = fmt::format("'data' is for models of one input, this one has {}",
                                            model.inputs().size()),
                     .id = "Input.Ambiguous",
                     .fix = "name each input"};
      }
      const runtime::ValueInfo& input = model.inputs()[0];
      SetFeed(input.name, TRY(ReadInput(reader, input)), plain.question.feeds);
      continue;
    }
    plain.by_name = plain.by_name || name != "data";
    const runtime::ValueInfo* input = TRY(InputNamed(model, name));
    SetFeed(name, TRY(ReadInput(reader, *input)), plain.question.feeds);
  }
  TRY(reader.Finish());
  return plain;
}

Result<std::string> WritePlain(const runtime::Model& model, bool by_name,
                               const std::vector<runtime::Value>& values) {
  std::string out;
  out.reserve(kFewBytes);
  out += '{';
  const bool single = !by_name && values.size() == 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(single ? std::string_view("output") : model.outputs()[i].name, out);
    out += ':';
    if (auto written = AppendValue(values[i], out); !written) {
      return Within(fmt::format("output '{}'", model.outputs()[i].name),
                    std::move(written).error());
    }
  }
  out += '}';
  return out;
}

}  // namespace slipway::server
