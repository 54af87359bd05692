// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/predict_tensor.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "runtime/server/json_tensor.h"
#include "runtime/server/proto_wire.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Tensor;

enum class Kind : std::uint8_t {
  kInt,
  kInts,
  kUints,
  kFloats,
  kDoubles,
  kBytes,
  kByteStrings,
  kLocation,
  kIgnored
};
struct Member {
  std::string_view json, schema;
  std::uint32_t number;
  Kind kind;
};
constexpr Member kMembers[] = {
    {"dims", "dims", 1, Kind::kInts},
    {"dataType", "data_type", 2, Kind::kInt},
    {"floatData", "float_data", 4, Kind::kFloats},
    {"int32Data", "int32_data", 5, Kind::kInts},
    {"stringData", "string_data", 6, Kind::kByteStrings},
    {"int64Data", "int64_data", 7, Kind::kInts},
    {"name", "name", 8, Kind::kIgnored},
    {"rawData", "raw_data", 9, Kind::kBytes},
    {"doubleData", "double_data", 10, Kind::kDoubles},
    {"uint64Data", "uint64_data", 11, Kind::kUints},
    {"docString", "doc_string", 12, Kind::kIgnored},
    {"dataLocation", "data_location", 14, Kind::kLocation},
};

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Request.Invalid"};
}

template <class T>
Result<T> Integer(JsonReader& reader) {
  std::string text;
  if (reader.Peek() == JsonReader::Kind::kString) {
    text = TRY(reader.String());
  } else {
    text = TRY(reader.Number());
  }
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return Bad(fmt::format("'{}' is no whole number in range", text.substr(0, 40)));
}

Result<std::vector<std::int64_t>> Integers(JsonReader& reader, Kind kind) {
  std::vector<std::int64_t> values;
  TRY(reader.BeginArray());
  while (TRY(reader.NextItem())) {
    if (kind == Kind::kUints) {
      values.push_back(static_cast<std::int64_t>(TRY(Integer<std::uint64_t>(reader))));
    } else {
      values.push_back(TRY(Integer<std::int64_t>(reader)));
    }
  }
  return values;
}

Result<void> Floats(JsonReader& reader, DType dtype, std::uint32_t number, std::string& message) {
  const Tensor values = TRY(ReadNested(reader, dtype));
  if (values.rank() != 1) return Bad("data must be a flat list");
  const auto bytes = values.raw_bytes();
  AppendProtoBytes(number, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, message);
  return {};
}

Result<std::string> Base64(JsonReader& reader) {
  std::string text = TRY(reader.String());
  for (char& c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  while (text.size() % 4 != 0) text.push_back('=');
  return DecodeBase64(text);
}

Result<void> Location(JsonReader& reader) {
  if (reader.Peek() == JsonReader::Kind::kNumber) {
    if (TRY(reader.Int()) == 0) return {};
  } else if (TRY(reader.String()) == "DEFAULT") {
    return {};
  }
  return Bad("external data is not taken");
}

Result<void> ReadMember(JsonReader& reader, const Member& member, std::string& message) {
  if (reader.Peek() == JsonReader::Kind::kNull) return reader.Null();
  switch (member.kind) {
    case Kind::kInt: {
      const std::int64_t value = TRY(Integer<std::int64_t>(reader));
      AppendProtoVarint(member.number, static_cast<std::uint64_t>(value), message);
      return {};
    }
    case Kind::kInts:
    case Kind::kUints:
      AppendProtoPacked(member.number, TRY(Integers(reader, member.kind)), message);
      return {};
    case Kind::kFloats:
      return Floats(reader, DType::kFloat32, member.number, message);
    case Kind::kDoubles:
      return Floats(reader, DType::kFloat64, member.number, message);
    case Kind::kBytes:
      AppendProtoBytes(member.number, TRY(Base64(reader)), message);
      return {};
    case Kind::kByteStrings:
      TRY(reader.BeginArray());
      while (TRY(reader.NextItem())) {
        AppendProtoBytes(member.number, TRY(Base64(reader)), message);
      }
      return {};
    case Kind::kLocation:
      return Location(reader);
    case Kind::kIgnored:
      return reader.Skip();
  }
  return {};
}

/// `dims` are a repeated field of single varints in files, and are written so here.
Result<void> ReadDims(JsonReader& reader, std::string& message) {
  const std::vector<std::int64_t> dims = TRY(Integers(reader, Kind::kInts));
  for (std::int64_t dim : dims) {
    AppendProtoVarint(1, static_cast<std::uint64_t>(dim), message);
  }
  return {};
}

}  // namespace

Result<std::string> ReadTensorProtoJson(JsonReader& reader) {
  std::string message;
  TRY(reader.BeginObject());
  std::string name;
  while (TRY(reader.NextMember(name))) {
    const Member* known = nullptr;
    for (const Member& member : kMembers) {
      if (name == member.json || name == member.schema) known = &member;
    }
    if (known == nullptr) return Bad(fmt::format("tensor has an unknown member '{}'", name));
    auto read =
        known->number == 1 ? ReadDims(reader, message) : ReadMember(reader, *known, message);
    if (!read) return Within(name, std::move(read).error());
  }
  return message;
}

void AppendTensorProtoJson(const Tensor& tensor, std::string& out) {
  out += R"({"dims":[)";
  for (std::int64_t axis = 0; axis < tensor.rank(); ++axis) {
    out += fmt::format("{}\"{}\"", axis == 0 ? "" : ",", tensor.dim(axis));
  }
  out += fmt::format(R"(],"dataType":{},)", static_cast<int>(tensor.dtype()));
  if (tensor.dtype() == DType::kString) {
    out += R"("stringData":[)";
    bool first = true;
    for (const std::string& element : tensor.data<std::string>()) {
      out += fmt::format("{}\"{}\"", first ? "" : ",",
                         EncodeBase64(std::as_bytes(std::span(element))));
      first = false;
    }
    out += ']';
  } else {
    out += R"("rawData":")";
    out += EncodeBase64(tensor.raw_bytes());
    out += '"';
  }
  out += R"(,"dataLocation":"DEFAULT"})";
}

}  // namespace slipway::server
