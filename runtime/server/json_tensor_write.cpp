// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/json.h"
#include "base/text.h"
#include "runtime/server/json_tensor.h"
#include "runtime/server/small_float.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Tensor;

template <class T>
requires std::is_floating_point_v<T>
void AppendFloat(T value, std::string& out) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return;
  }
  std::array<char, 32> buffer;
  char* begin = buffer.data();
  char* end = std::to_chars(begin, begin + buffer.size() - 2, value).ptr;
  if (std::none_of(begin, end, [](char c) { return c == '.' || c == 'e'; })) {
    *end++ = '.';
    *end++ = '0';
  }
  out.append(begin, static_cast<std::size_t>(end - begin));
}

void Append(float value, std::string& out) { AppendFloat(value, out); }
void Append(double value, std::string& out) { AppendFloat(value, out); }

template <class T>
requires std::is_integral_v<T>
void Append(T value, std::string& out) {
  std::array<char, 24> buffer;
  char* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
}

void Append(const std::string& value, std::string& out) { AppendJsonString(value, out); }

struct HalfText {
  std::uint16_t bits;
};
struct Bfloat16Text {
  std::uint16_t bits;
};
struct BoolText {
  std::uint8_t value;
};
void Append(HalfText value, std::string& out) { AppendFloat(HalfToFloat(value.bits), out); }
void Append(Bfloat16Text value, std::string& out) { AppendFloat(Bfloat16ToFloat(value.bits), out); }
void Append(BoolText value, std::string& out) { out += value.value != 0 ? "true" : "false"; }

template <class T>
void AppendRow(const T* elements, std::int64_t count, std::string& out) {
  out.push_back('[');
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    Append(elements[i], out);
  }
  out.push_back(']');
}

template <class T>
void AppendLevels(const Tensor& tensor, std::int64_t axis, std::int64_t& index, std::string& out) {
  const T* elements = static_cast<const T*>(tensor.raw());
  if (axis == tensor.rank()) {
    Append(elements[index++], out);
    return;
  }
  const std::int64_t count = tensor.dim(axis);
  if (axis + 1 == tensor.rank()) {
    AppendRow(elements + index, count, out);
    index += count;
    return;
  }
  out.push_back('[');
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    AppendLevels<T>(tensor, axis + 1, index, out);
  }
  out.push_back(']');
}

enum class Form : std::uint8_t { kFlat, kNested };

template <class T>
void AppendAs(const Tensor& tensor, Form form, std::string& out) {
  out.reserve(out.size() + static_cast<std::size_t>(tensor.size()) * 12);
  if (form == Form::kFlat) {
    AppendRow(static_cast<const T*>(tensor.raw()), tensor.size(), out);
  } else {
    std::int64_t index = 0;
    AppendLevels<T>(tensor, 0, index, out);
  }
}

/// Rows of no elements still take text: bounds what a shape such as [1000000000,0] would write.
Result<void> CheckEmptyRows(const Tensor& tensor) {
  if (tensor.size() > 0) return {};
  std::int64_t rows = 1;
  for (std::int64_t d : tensor.shape()) {
    if (d == 0) break;
    rows = TRY(CheckedMul(rows, d, "output"));
  }
  if (rows > limits::kJsonBytes) {
    return Error{.code = Code::kResourceExhausted,
                 .message = "an empty tensor of shape " + runtime::ShapeText(tensor.shape()) +
                            " is too large to write as JSON"};
  }
  return {};
}

Result<void> AppendTensor(const Tensor& tensor, Form form, std::string& out) {
  if (form == Form::kNested) TRY(CheckEmptyRows(tensor));
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return AppendAs<float>(tensor, form, out), Result<void>();
    case DType::kFloat64:
      return AppendAs<double>(tensor, form, out), Result<void>();
    case DType::kFloat16:
      return AppendAs<HalfText>(tensor, form, out), Result<void>();
    case DType::kBfloat16:
      return AppendAs<Bfloat16Text>(tensor, form, out), Result<void>();
    case DType::kInt8:
      return AppendAs<std::int8_t>(tensor, form, out), Result<void>();
    case DType::kInt16:
      return AppendAs<std::int16_t>(tensor, form, out), Result<void>();
    case DType::kInt32:
      return AppendAs<std::int32_t>(tensor, form, out), Result<void>();
    case DType::kInt64:
      return AppendAs<std::int64_t>(tensor, form, out), Result<void>();
    case DType::kUint8:
      return AppendAs<std::uint8_t>(tensor, form, out), Result<void>();
    case DType::kUint16:
      return AppendAs<std::uint16_t>(tensor, form, out), Result<void>();
    case DType::kUint32:
      return AppendAs<std::uint32_t>(tensor, form, out), Result<void>();
    case DType::kUint64:
      return AppendAs<std::uint64_t>(tensor, form, out), Result<void>();
    case DType::kBool:
      return AppendAs<BoolText>(tensor, form, out), Result<void>();
    case DType::kString:
      return AppendAs<std::string>(tensor, form, out), Result<void>();
    default:
      return Error{.code = Code::kUnimplemented,
                   .message = fmt::format("elements of type {} have no JSON form",
                                          runtime::DTypeName(tensor.dtype())),
                   .fix = "ask for the protobuf form"};
  }
}

Result<void> AppendMap(const runtime::Map& map, std::string& out) {
  out.push_back('{');
  for (std::size_t i = 0; i < map.items.size(); ++i) {
    if (i > 0) out.push_back(',');
    if (map.keys.dtype() == DType::kString) {
      AppendJsonString(map.keys.data<std::string>()[i], out);
    } else {
      Tensor key =
          Tensor::Wrap(map.keys.dtype(), {}, map.keys.owner(),
                       const_cast<std::byte*>(map.keys.raw_bytes().data()) +
                           i * static_cast<std::size_t>(runtime::DTypeBits(map.keys.dtype()) / 8));
      out.push_back('"');
      TRY(AppendTensor(key, Form::kNested, out));
      out.push_back('"');
    }
    out.push_back(':');
    TRY(AppendValue(map.items[i], out));
  }
  out.push_back('}');
  return {};
}

}  // namespace

Result<void> AppendNested(const Tensor& tensor, std::string& out) {
  return AppendTensor(tensor, Form::kNested, out);
}

Result<void> AppendFlat(const Tensor& tensor, std::string& out) {
  return AppendTensor(tensor, Form::kFlat, out);
}

Result<void> AppendValue(const runtime::Value& value, std::string& out) {
  if (const Tensor* tensor = value.tensor()) return AppendNested(*tensor, out);
  if (const runtime::Map* map = value.map()) return AppendMap(*map, out);
  const runtime::Sequence* sequence = value.sequence();
  if (sequence == nullptr) {
    out += "null";
    return {};
  }
  out.push_back('[');
  for (std::size_t i = 0; i < sequence->items.size(); ++i) {
    if (i > 0) out.push_back(',');
    TRY(AppendValue(sequence->items[i], out));
  }
  out.push_back(']');
  return {};
}

void AppendJsonString(std::string_view text, std::string& out) {
  bool plain = true;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    plain = plain && byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  }
  if (plain) {
    out.push_back('"');
    out += text;
    out.push_back('"');
  } else {
    out += DumpJson(Json(std::string(text)));
  }
}

}  // namespace slipway::server
