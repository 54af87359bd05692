// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>

#include "runtime/server/json_reader.h"
#include "runtime/server/json_tensor.h"
#include "runtime/server/oip_form.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Tensor;

Error Bad(std::string message, std::string id = "Request.Invalid") {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = std::move(id)};
}

struct Parameters {
  std::int64_t binary_size = -1;
  std::optional<bool> binary;
  std::optional<bool> binary_output;
};

/// Parameters are open to extensions: those not known are passed over, those that would change
/// the answer are refused.
Result<Parameters> ReadParameters(JsonReader& reader) {
  Parameters out;
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    if (name == "binary_data_size") {
      out.binary_size = TRY(reader.Int());
      if (out.binary_size < 0) return Bad("binary_data_size must not be negative");
    } else if (name == "binary_data") {
      out.binary = TRY(reader.Bool());
    } else if (name == "binary_data_output") {
      out.binary_output = TRY(reader.Bool());
    } else if (name == "classification" || name.starts_with("shared_memory_")) {
      return Bad(fmt::format("parameter '{}' is not supported", name));
    } else {
      TRY(reader.Skip());
    }
  }
  return out;
}

Result<runtime::Shape> ReadShape(JsonReader& reader) {
  runtime::Shape shape;
  TRY(reader.BeginArray());
  while (TRY(reader.NextItem())) {
    shape.push_back(TRY(reader.Int()));
    if (static_cast<std::int64_t>(shape.size()) > limits::kTensorRank) {
      return Bad("shape has too many dimensions", "Input.WrongShape");
    }
  }
  auto count = runtime::ElementCount(shape);
  if (!count) return Bad(count.error().message, "Input.WrongShape");
  return shape;
}

/// An input while its members come in, in any order.
struct Input {
  std::string name;
  std::optional<runtime::Shape> shape;
  std::optional<DType> dtype;
  std::optional<JsonReader> data;  ///< where the data begins, when it came too early
  std::optional<Tensor> tensor;
  std::int64_t binary_size = -1;
};

Result<void> ReadData(JsonReader& reader, Input& input) {
  if (input.shape && input.dtype) {
    input.tensor = TRY(ReadShaped(reader, *input.dtype, *input.shape));
    return {};
  }
  input.data = reader;
  return reader.Skip();
}

Result<void> ReadInputMember(JsonReader& reader, std::string_view name, Input& input) {
  if (name == "name") {
    input.name = TRY(reader.String());
  } else if (name == "shape") {
    input.shape = TRY(ReadShape(reader));
  } else if (name == "datatype") {
    const std::string word = TRY(reader.String());
    input.dtype = TRY(OipType(word));
  } else if (name == "parameters") {
    input.binary_size = TRY(ReadParameters(reader)).binary_size;
  } else if (name == "data") {
    return ReadData(reader, input);
  } else {
    return Bad(
        fmt::format("unknown member '{}', known: name, shape, datatype, parameters, data", name));
  }
  return {};
}

Result<Tensor> FinishInput(Input& input, std::string_view& binary) {
  if (!input.shape) return Bad("member 'shape' is missing");
  if (!input.dtype) return Bad("member 'datatype' is missing");
  const bool has_data = input.data || input.tensor;
  if (has_data == (input.binary_size >= 0)) {
    return Bad("one of 'data' and parameter 'binary_data_size' is wanted");
  }
  if (input.binary_size >= 0) {
    const auto size = static_cast<std::size_t>(input.binary_size);
    if (size > binary.size()) {
      return Bad(fmt::format("binary_data_size is {}, but {} bytes are left", size, binary.size()));
    }
    const std::string_view bytes = binary.substr(0, size);
    binary.remove_prefix(size);
    return ReadOipBinary(bytes, *input.dtype, *input.shape);
  }
  if (input.tensor) return *std::move(input.tensor);
  return ReadShaped(*input.data, *input.dtype, *input.shape);
}

Result<void> ReadInput(JsonReader& reader, std::string_view& binary, OipRequest& request) {
  Input input;
  TRY(reader.BeginObject());
  std::string member;
  auto read = [&]() -> Result<Tensor> {
    while (TRY(reader.NextMember(member))) TRY(ReadInputMember(reader, member, input));
    return FinishInput(input, binary);
  };
  auto tensor = read();
  if (!tensor) {
    const std::string which = input.name.empty() ? "an input" : "input '" + input.name + "'";
    return Within(which, std::move(tensor).error());
  }
  if (input.name.empty()) return Bad("an input has no 'name'");
  SetFeed(std::move(input.name), *std::move(tensor), request.question.feeds);
  return {};
}

Result<void> ReadOutput(JsonReader& reader, OipRequest& request,
                        std::vector<std::optional<bool>>& binary) {
  OipRequest::Output output;
  std::optional<bool> wants;
  TRY(reader.BeginObject());
  std::string member;
  while (TRY(reader.NextMember(member))) {
    if (member == "name") {
      output.name = TRY(reader.String());
    } else if (member == "parameters") {
      wants = TRY(ReadParameters(reader)).binary;
    } else {
      return Bad(fmt::format("an output has an unknown member '{}'", member));
    }
  }
  if (output.name.empty()) return Bad("an output has no 'name'");
  request.question.outputs.push_back(output.name);
  request.outputs.push_back(std::move(output));
  binary.push_back(wants);
  return {};
}

Result<void> ReadTop(JsonReader& reader, std::string_view& binary, OipRequest& request) {
  std::vector<std::optional<bool>> output_binary;
  bool has_inputs = false;
  TRY(reader.BeginObject());
  std::string member;
  while (TRY(reader.NextMember(member))) {
    if (member == "id") {
      request.id = TRY(reader.String());
      request.has_id = true;
    } else if (member == "parameters") {
      request.binary_output = TRY(ReadParameters(reader)).binary_output.value_or(false);
    } else if (member == "inputs") {
      has_inputs = true;
      TRY(reader.BeginArray());
      while (TRY(reader.NextItem())) TRY(ReadInput(reader, binary, request));
    } else if (member == "outputs") {
      TRY(reader.BeginArray());
      while (TRY(reader.NextItem())) TRY(ReadOutput(reader, request, output_binary));
    } else {
      return Bad(
          fmt::format("unknown member '{}', known: id, parameters, inputs, outputs", member));
    }
  }
  if (!has_inputs) return Bad("member 'inputs' is missing");
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    request.outputs[i].binary = output_binary[i].value_or(request.binary_output);
  }
  return reader.Finish();
}

}  // namespace

Result<OipRequest> ReadOip(std::string_view body, std::int64_t header_bytes) {
  if (header_bytes > static_cast<std::int64_t>(body.size())) {
    return Bad(fmt::format("Inference-Header-Content-Length is {}, but the body has {} bytes",
                           header_bytes, body.size()));
  }
  const auto json_bytes = header_bytes < 0 ? body.size() : static_cast<std::size_t>(header_bytes);
  std::string_view binary = body.substr(json_bytes);
  OipRequest request;
  JsonReader reader(body.substr(0, json_bytes));
  TRY(ReadTop(reader, binary, request));
  if (!binary.empty()) return Bad(fmt::format("{} bytes of binary data are unused", binary.size()));
  return request;
}

}  // namespace slipway::server
