// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/proto_wire.h"

namespace slipway::server {
namespace {

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Proto.Invalid"};
}

void AppendVarint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

}  // namespace

Result<std::uint64_t> ProtoReader::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return Bad("protobuf message is cut short");
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
  return Bad("protobuf message has a number of more than 64 bits");
}

Result<std::string_view> ProtoReader::Take(std::uint64_t count) {
  if (count > rest_.size()) return Bad("protobuf message is cut short");
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

Result<ProtoField> ProtoReader::Next() {
  const std::uint64_t tag = TRY(Varint());
  ProtoField field{.number = static_cast<std::uint32_t>(tag >> 3), .wire = {}, .bytes = {}};
  if (tag >> 32 != 0 || field.number == 0) return Bad("protobuf message has a wrong field number");
  switch (tag & 7U) {
    case 0:
      field.wire = ProtoField::Wire::kVarint;
      TRY(Varint());
      return field;
    case 1:
      field.wire = ProtoField::Wire::kFixed64;
      field.bytes = TRY(Take(8));
      return field;
    case 2: {
      const std::uint64_t length = TRY(Varint());
      field.wire = ProtoField::Wire::kBytes;
      field.bytes = TRY(Take(length));
      return field;
    }
    case 5:
      field.wire = ProtoField::Wire::kFixed32;
      field.bytes = TRY(Take(4));
      return field;
    default:
      return Bad("protobuf message has a field of an unknown kind");
  }
}

void AppendProtoVarint(std::uint32_t number, std::uint64_t value, std::string& message) {
  AppendVarint(static_cast<std::uint64_t>(number) << 3, message);
  AppendVarint(value, message);
}

void AppendProtoBytes(std::uint32_t number, std::string_view bytes, std::string& message) {
  AppendVarint((static_cast<std::uint64_t>(number) << 3) | 2U, message);
  AppendVarint(bytes.size(), message);
  message += bytes;
}

void AppendProtoPacked(std::uint32_t number, std::span<const std::int64_t> values,
                       std::string& message) {
  std::string packed;
  for (std::int64_t value : values) AppendVarint(static_cast<std::uint64_t>(value), packed);
  AppendProtoBytes(number, packed, message);
}

}  // namespace slipway::server
