// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "runtime/server/json_tensor.h"
#include "runtime/server/oip_form.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Tensor;

constexpr std::array<std::pair<std::string_view, DType>, 14> kNames = {{
    {"BOOL", DType::kBool},
    {"UINT8", DType::kUint8},
    {"UINT16", DType::kUint16},
    {"UINT32", DType::kUint32},
    {"UINT64", DType::kUint64},
    {"INT8", DType::kInt8},
    {"INT16", DType::kInt16},
    {"INT32", DType::kInt32},
    {"INT64", DType::kInt64},
    {"FP16", DType::kFloat16},
    {"FP32", DType::kFloat32},
    {"FP64", DType::kFloat64},
    {"BYTES", DType::kString},
    {"BF16", DType::kBfloat16},
}};

Error WrongSize(std::size_t got, std::string_view wanted) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("{} bytes of binary data, {}", got, wanted),
          .id = "Input.WrongShape"};
}

Result<Tensor> ReadStrings(std::string_view bytes, const runtime::Shape& shape,
                           std::int64_t count) {
  const std::size_t all = bytes.size();
  if (static_cast<std::uint64_t>(count) > all / 4) {
    return WrongSize(all, fmt::format("too few for {} elements", count));
  }
  std::vector<std::string> elements;
  elements.reserve(static_cast<std::size_t>(count));
  while (!bytes.empty()) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof(length)) return WrongSize(all, "which end within a length");
    std::memcpy(&length, bytes.data(), sizeof(length));
    bytes.remove_prefix(sizeof(length));
    if (length > bytes.size()) return WrongSize(all, "which end within an element");
    elements.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (static_cast<std::int64_t>(elements.size()) != count) {
    return WrongSize(all, fmt::format("which are {} elements, {} wanted", elements.size(), count));
  }
  return Tensor::FromVector(DType::kString, shape, std::move(elements));
}

void AppendShape(const runtime::TypeInfo& type, std::string& out) {
  out += R"("shape":[)";
  if (!type.shape) out += "-1";
  for (std::size_t i = 0; type.shape && i < type.shape->size(); ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : ",", (*type.shape)[i]);
  }
  out += ']';
}

void AppendTensors(std::span<const runtime::ValueInfo> values, std::string& out) {
  bool first = true;
  for (const runtime::ValueInfo& value : values) {
    const std::string_view datatype = OipName(value.type.dtype);
    if (value.type.kind != runtime::TypeInfo::Kind::kTensor || datatype.empty()) continue;
    out += first ? R"({"name":)" : R"(,{"name":)";
    AppendJsonString(value.name, out);
    out += fmt::format(R"(,"datatype":"{}",)", datatype);
    AppendShape(value.type, out);
    out += '}';
    first = false;
  }
}

}  // namespace

std::string_view OipName(DType dtype) {
  for (const auto& [name, type] : kNames) {
    if (type == dtype) return name;
  }
  return {};
}

Result<DType> OipType(std::string_view name) {
  std::string known;
  for (const auto& [word, type] : kNames) {
    if (word == name) return type;
    known += known.empty() ? "" : ", ";
    known += word;
  }
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("unknown datatype '{}', known: {}", name, known),
               .id = "Input.WrongType"};
}

Result<Tensor> ReadOipBinary(std::string_view bytes, DType dtype, const runtime::Shape& shape) {
  const std::int64_t count = TRY(runtime::ElementCount(shape));
  if (dtype == DType::kString) return ReadStrings(bytes, shape, count);
  const std::int64_t wanted =
      TRY(CheckedMul(count, runtime::DTypeBits(dtype) / 8, "binary tensor"));
  if (static_cast<std::int64_t>(bytes.size()) != wanted) {
    return WrongSize(bytes.size(), fmt::format("{} {} takes {}", OipName(dtype),
                                               runtime::ShapeText(shape), wanted));
  }
  Tensor tensor = TRY(Tensor::Make(dtype, shape));
  if (!bytes.empty()) std::memcpy(tensor.raw(), bytes.data(), bytes.size());
  if (dtype == DType::kBool) {
    for (std::uint8_t& element : tensor.data<std::uint8_t>()) element = element != 0;
  }
  return tensor;
}

void AppendOipBinary(const Tensor& tensor, std::string& out) {
  if (tensor.dtype() != DType::kString) {
    const auto bytes = tensor.raw_bytes();
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return;
  }
  for (const std::string& element : tensor.data<std::string>()) {
    const auto length = static_cast<std::uint32_t>(element.size());
    char prefix[sizeof(length)];
    std::memcpy(prefix, &length, sizeof(length));
    out.append(prefix, sizeof(length));
    out += element;
  }
}

std::string OipMetadata(const ServedModel& model, std::span<const ServedModel> all) {
  std::string out = R"({"name":)";
  AppendJsonString(model.name, out);
  out += R"(,"versions":[)";
  bool first = true;
  for (const ServedModel& other : all) {
    if (other.name != model.name) continue;
    if (!first) out += ',';
    AppendJsonString(other.version, out);
    first = false;
  }
  out += R"(],"platform":"slipway_onnx","inputs":[)";
  AppendTensors(model.model().inputs(), out);
  out += R"(],"outputs":[)";
  AppendTensors(model.model().outputs(), out);
  out += "]}";
  return out;
}

}  // namespace slipway::server
