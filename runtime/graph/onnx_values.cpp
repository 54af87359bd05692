// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/wire.h"

namespace slipway::runtime::proto {
namespace {

Result<Value> ReadMap(std::span<const std::byte> bytes, Source& source);

Result<void> Nest(Source& source) {
  if (++source.depth <= source.limits.depth) return {};
  return Invalid(fmt::format("nested deeper than {}", source.limits.depth));
}

Result<Value> ReadItem(std::uint32_t number, std::span<const std::byte> bytes, Source& source) {
  switch (number) {
    case 3:
      return Value(TRY(ReadTensor(bytes, source)).tensor);
    case 4:
      return Value(TRY(ReadSparseTensor(bytes, source)).tensor);
    case 5:
      return ReadSequence(bytes, source);
    case 6:
      return ReadMap(bytes, source);
    case 7:
      return ReadOptional(bytes, source);
    default:
      return Value();
  }
}

Result<Tensor> IntegerKeys(DType dtype, const std::vector<std::int64_t>& keys) {
  const auto count = static_cast<std::int64_t>(keys.size());
  if (dtype == DType::kInt64) return Tensor::FromVector(dtype, {count}, keys);
  return Invalid(fmt::format("keys of type {} in a map", DTypeName(dtype)));
}

Result<Value> ReadMap(std::span<const std::byte> bytes, Source& source) {
  TRY(Nest(source));
  WireReader reader(bytes);
  std::vector<std::int64_t> keys;
  std::vector<std::string> names;
  std::int64_t key_type = 0;
  auto map = std::make_shared<Map>();
  while (reader.Next()) {
    if (reader.number() == 2) key_type = reader.Int();
    if (reader.number() == 3) reader.Ints(keys);
    if (reader.number() == 4) names.emplace_back(reader.Text());
    if (reader.number() == 5) {
      const Value values = TRY(ReadSequence(reader.Bytes(), source));
      map->items = values.sequence()->items;
    }
  }
  TRY(reader.status());
  --source.depth;
  const auto count = static_cast<std::int64_t>(names.size());
  if (names.empty()) {
    const DType dtype = key_type == 0 ? DType::kInt64 : TRY(DTypeFromNumber(key_type));
    map->keys = dtype == DType::kString ? Tensor::FromVector(dtype, {count}, std::move(names))
                                        : TRY(IntegerKeys(dtype, keys));
  } else {
    map->keys = Tensor::FromVector(DType::kString, {count}, std::move(names));
  }
  if (map->keys.size() != static_cast<std::int64_t>(map->items.size())) {
    return Invalid(
        fmt::format("a map of {} keys and {} values", map->keys.size(), map->items.size()));
  }
  return Value(std::shared_ptr<const Map>(std::move(map)));
}

}  // namespace

Result<Value> ReadSequence(std::span<const std::byte> bytes, Source& source) {
  TRY(Nest(source));
  WireReader reader(bytes);
  auto sequence = std::make_shared<Sequence>();
  while (reader.Next()) {
    if (reader.number() < 3 || reader.number() > 7) continue;
    sequence->items.push_back(TRY(ReadItem(reader.number(), reader.Bytes(), source)));
  }
  TRY(reader.status());
  --source.depth;
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

Result<Value> ReadOptional(std::span<const std::byte> bytes, Source& source) {
  TRY(Nest(source));
  WireReader reader(bytes);
  Value value;
  while (reader.Next()) {
    if (reader.number() < 3 || reader.number() > 7) continue;
    value = TRY(ReadItem(reader.number(), reader.Bytes(), source));
  }
  TRY(reader.status());
  --source.depth;
  return value;
}

}  // namespace slipway::runtime::proto

namespace slipway::runtime {
namespace {

Result<Value> ReadByType(std::span<const std::byte> bytes, const TypeInfo& type,
                         proto::Source& source) {
  switch (type.kind) {
    case TypeInfo::Kind::kTensor:
      return Value(TRY(proto::ReadTensor(bytes, source)).tensor);
    case TypeInfo::Kind::kSparseTensor:
      return Value(TRY(proto::ReadSparseTensor(bytes, source)).tensor);
    case TypeInfo::Kind::kSequence:
      return proto::ReadSequence(bytes, source);
    case TypeInfo::Kind::kOptional:
      return proto::ReadOptional(bytes, source);
    case TypeInfo::Kind::kMap:
      break;
  }
  return Error{.code = Code::kInvalidArgument, .message = "maps have no file format of their own"};
}

}  // namespace

Result<Value> ReadProtoValue(std::span<const std::byte> bytes, const TypeInfo& type) {
  proto::Source source;
  auto value = ReadByType(bytes, type, source);
  if (value) return value;
  Error error = std::move(value).error();
  if (error.id == "Model.Invalid") error.id = "Tensor.Invalid";
  return error;
}

namespace {

/// Four elements in three bytes, as a file has them.
std::string SixBitText(const Tensor& tensor) {
  const auto elements = tensor.data<std::uint8_t>();
  std::string text((6 * elements.size() + 7) / 8, '\0');
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::size_t at = 6 * i / 8;
    const unsigned shifted = (elements[i] & 0x3fU) << 6 * i % 8;
    text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) | (shifted & 0xffU));
    if (shifted > 0xffU) text[at + 1] = static_cast<char>(shifted >> 8);
  }
  return text;
}

}  // namespace

Result<std::string> WriteTensorProto(const Tensor& tensor, std::string_view name) {
  WireWriter writer;
  for (std::int64_t dim : tensor.shape()) writer.Int(1, dim);
  writer.Int(2, static_cast<std::int64_t>(tensor.dtype()));
  writer.Bytes(8, name);
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.data<std::string>()) writer.Bytes(6, text);
  } else if (tensor.dtype() == DType::kFloat6E2M3 || tensor.dtype() == DType::kFloat6E3M2) {
    writer.Bytes(9, SixBitText(tensor));
  } else {
    const auto bytes = tensor.raw_bytes();
    writer.Bytes(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return writer.Take();
}

}  // namespace slipway::runtime
