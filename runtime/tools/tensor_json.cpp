// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "runtime/tools/element.h"
#include "runtime/tools/tensor_file.h"

namespace slipway::runtime {
namespace {

Error Invalid(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Tensor.Invalid"};
}

std::string Brief(const Json& json) {
  std::string text = DumpJson(json);
  constexpr std::size_t kLongest = 37;
  constexpr std::string_view kMore = "...";
  if (text.size() > kLongest + kMore.size()) text.replace(kLongest, std::string::npos, kMore);
  return text;
}

Error WrongElement(const Json& json, DType dtype) {
  return Invalid(fmt::format("{} is no {}", Brief(json), DTypeName(dtype)));
}

Result<double> FloatOf(const Json& json, DType dtype) {
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  return WrongElement(json, dtype);
}

Result<void> SetWhole(Tensor& tensor, std::int64_t index, const Json& json) {
  if (json.is_number_unsigned() && tensor.dtype() == DType::kUint64) {
    tensor.data<std::uint64_t>()[static_cast<std::size_t>(index)] = json.get<std::uint64_t>();
    return {};
  }
  if (json.is_number_unsigned() && !std::in_range<std::int64_t>(json.get<std::uint64_t>())) {
    return WrongElement(json, tensor.dtype());
  }
  if (json.is_number_integer()) return SetInt(tensor, index, json.get<std::int64_t>());
  if (json.is_number_float()) {
    const double value = json.get<double>();
    if (std::trunc(value) == value && std::abs(value) < 9e15) {
      return SetInt(tensor, index, static_cast<std::int64_t>(value));
    }
  }
  return WrongElement(json, tensor.dtype());
}

Result<void> SetElement(Tensor& tensor, std::int64_t index, const Json& json) {
  const DType dtype = tensor.dtype();
  const auto at = static_cast<std::size_t>(index);
  if (IsFloating(dtype)) {
    SetFloat(tensor, index, TRY(FloatOf(json, dtype)));
    return {};
  }
  if (IsInteger(dtype)) return SetWhole(tensor, index, json);
  if (dtype == DType::kString) {
    if (!json.is_string()) return WrongElement(json, dtype);
    tensor.data<std::string>()[at] = json.get<std::string>();
    return {};
  }
  if (dtype == DType::kBool) {
    const bool is_digit = json.is_number_integer() && (json == 0 || json == 1);
    if (!json.is_boolean() && !is_digit) return WrongElement(json, dtype);
    tensor.data<std::uint8_t>()[at] = json.is_boolean() ? json.get<bool>() : json == 1;
    return {};
  }
  return Error{.code = Code::kUnimplemented,
               .message = fmt::format("elements of {} cannot be written as JSON", DTypeName(dtype)),
               .id = "Tensor.NoJsonType"};
}

Result<Shape> NestedShape(const Json& json) {
  Shape shape;
  for (const Json* at = &json; at->is_array(); at = &at->front()) {
    shape.push_back(static_cast<std::int64_t>(at->size()));
    if (at->empty()) break;
    if (static_cast<std::int64_t>(shape.size()) > limits::kTensorRank) {
      return Invalid(fmt::format("arrays nested deeper than {}", limits::kTensorRank));
    }
  }
  return shape;
}

Result<void> FillNested(const Json& json, std::size_t axis, Tensor& tensor, std::int64_t& next) {
  if (axis == tensor.shape().size()) return SetElement(tensor, next++, json);
  const std::int64_t wanted = tensor.shape()[axis];
  if (!json.is_array() || static_cast<std::int64_t>(json.size()) != wanted) {
    return Invalid(
        fmt::format("ragged array: {} where an array of {} belongs", Brief(json), wanted));
  }
  for (const Json& item : json) TRY(FillNested(item, axis + 1, tensor, next));
  return {};
}

/// `{"dims": [...], "data": [...]}`
Result<Tensor> FromFlat(const Json& json, DType dtype) {
  TRY(OnlyKnownFields(json, {"dims", "data"}));
  if (!json.contains("dims") || !json.contains("data") || !json["dims"].is_array() ||
      !json["data"].is_array()) {
    return Invalid("a tensor object needs the arrays `dims` and `data`");
  }
  Shape shape;
  for (const Json& dim : json["dims"]) {
    if (!dim.is_number_integer()) return Invalid(fmt::format("dims: {}", Brief(dim)));
    shape.push_back(dim.get<std::int64_t>());
  }
  const auto& data = json["data"];
  const std::int64_t count = TRY(ElementCount(shape));
  if (count != static_cast<std::int64_t>(data.size())) {
    return Invalid(fmt::format("{} elements of data where dims {} ask for {}", data.size(),
                               ShapeText(shape), count));
  }
  Tensor tensor = TRY(Tensor::Make(dtype, std::move(shape)));
  for (std::int64_t i = 0; i < count; ++i) {
    TRY(SetElement(tensor, i, data[static_cast<std::size_t>(i)]));
  }
  return tensor;
}

Result<Tensor> TensorFromJson(const Json& json, const TypeInfo& type) {
  const DType dtype = type.dtype == DType::kUndefined ? DType::kFloat32 : type.dtype;
  if (json.is_object()) return FromFlat(json, dtype);
  Shape shape = TRY(NestedShape(json));
  const bool is_empty = !shape.empty() && shape.back() == 0;
  if (is_empty && type.shape && type.shape->size() > shape.size()) {
    for (std::size_t d = shape.size(); d < type.shape->size(); ++d) {
      shape.push_back(std::max<std::int64_t>(0, (*type.shape)[d]));
    }
    return Tensor::Make(dtype, std::move(shape));
  }
  Tensor tensor = TRY(Tensor::Make(dtype, std::move(shape)));
  std::int64_t next = 0;
  TRY(FillNested(json, 0, tensor, next));
  return tensor;
}

Result<Value> MapFromJson(const Json& json, const TypeInfo& type) {
  if (!json.is_object()) return Invalid("a map is written as an object");
  const auto count = static_cast<std::int64_t>(json.size());
  auto map = std::make_shared<Map>();
  map->keys = TRY(Tensor::Make(type.dtype, {count}));
  std::int64_t index = 0;
  for (const auto& [key, item] : json.items()) {
    if (type.dtype == DType::kString) {
      map->keys.data<std::string>()[static_cast<std::size_t>(index)] = key;
    } else {
      const Json number = TRY(ParseJson(key));
      TRY(SetElement(map->keys, index, number));
    }
    ++index;
    const TypeInfo element = type.element.empty() ? TypeInfo{} : type.element.front();
    map->items.push_back(TRY(ValueFromJson(item, element)));
  }
  return Value(std::shared_ptr<const Map>(std::move(map)));
}

/// The double that is written as briefly as the float: 0.1F as 0.1, not 0.10000000149011612.
double BriefDouble(float value) {
  std::array<char, 32> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double brief = 0;
  std::from_chars(text.data(), end, brief);
  return brief;
}

Json ElementToJson(const Tensor& tensor, std::int64_t index) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kString) return tensor.data<std::string>()[static_cast<std::size_t>(index)];
  if (dtype == DType::kBool) return IntAt(tensor, index) != 0;
  if (dtype == DType::kUint64) return static_cast<std::uint64_t>(IntAt(tensor, index));
  if (IsInteger(dtype)) return IntAt(tensor, index);
  if (IsComplex(dtype)) {
    const auto [real, imaginary] = ComplexAt(tensor, index);
    return Json::array({real, imaginary});
  }
  const double value = FloatAt(tensor, index);
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (dtype == DType::kFloat32) return BriefDouble(static_cast<float>(value));
  return value;
}

Json TensorToJson(const Tensor& tensor, std::size_t axis, std::int64_t& next) {
  if (axis == tensor.shape().size()) return ElementToJson(tensor, next++);
  Json list = Json::array();
  for (std::int64_t i = 0; i < tensor.shape()[axis]; ++i) {
    list.push_back(TensorToJson(tensor, axis + 1, next));
  }
  return list;
}

/// Whether nested arrays of this shape are about as long as it has elements.
Result<void> CheckPrintable(const Shape& shape) {
  Shape leading = shape;
  while (!leading.empty() && leading.back() == 0) leading.pop_back();
  const std::int64_t count = TRY(ElementCount(leading));
  if (count <= limits::kJsonBytes) return {};
  return Error{.code = Code::kResourceExhausted,
               .message = fmt::format("{} is too large to be written as JSON", ShapeText(shape))};
}

}  // namespace

Result<Value> ValueFromJson(const Json& json, const TypeInfo& type) {
  switch (type.kind) {
    case TypeInfo::Kind::kTensor:
    case TypeInfo::Kind::kSparseTensor:
      return Value(TRY(TensorFromJson(json, type)));
    case TypeInfo::Kind::kMap:
      return MapFromJson(json, type);
    case TypeInfo::Kind::kOptional:
      if (json.is_null()) return Value();
      return ValueFromJson(json, type.element.empty() ? TypeInfo{} : type.element.front());
    case TypeInfo::Kind::kSequence:
      break;
  }
  if (!json.is_array()) return Invalid("a sequence is written as an array");
  auto sequence = std::make_shared<Sequence>();
  for (const Json& item : json) {
    sequence->items.push_back(
        TRY(ValueFromJson(item, type.element.empty() ? TypeInfo{} : type.element.front())));
  }
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

Result<Json> ValueToJson(const Value& value) {
  if (const Tensor* tensor = value.tensor()) {
    TRY(CheckPrintable(tensor->shape()));
    std::int64_t next = 0;
    return TensorToJson(*tensor, 0, next);
  }
  if (const Sequence* sequence = value.sequence()) {
    Json list = Json::array();
    for (const Value& item : sequence->items) list.push_back(TRY(ValueToJson(item)));
    return list;
  }
  if (const Map* map = value.map()) {
    Json object = Json::object();
    for (std::size_t i = 0; i < map->items.size(); ++i) {
      const Json key = ElementToJson(map->keys, static_cast<std::int64_t>(i));
      object[key.is_string() ? key.get<std::string>() : DumpJson(key)] =
          TRY(ValueToJson(map->items[i]));
    }
    return object;
  }
  return Json(nullptr);
}

}  // namespace slipway::runtime
