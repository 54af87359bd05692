// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::server {

/// A field of a serialised protobuf message.
struct ProtoField {
  std::uint32_t number = 0;
  enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 } wire;
  std::string_view bytes;  ///< of kBytes, within the message
};

/// Reads a protobuf message field by field, for the few outer messages whose schema is not
/// compiled in. Source: protobuf.dev, "Encoding". Not thread-safe.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message) : rest_(message) {}
  bool AtEnd() const { return rest_.empty(); }
  /// kInvalidArgument for a message that is cut short or not well-formed.
  Result<ProtoField> Next();

 private:
  Result<std::uint64_t> Varint();
  Result<std::string_view> Take(std::uint64_t count);
  std::string_view rest_;
};

/// Appends fields to a serialised message.
void AppendProtoVarint(std::uint32_t number, std::uint64_t value, std::string& message);
void AppendProtoBytes(std::uint32_t number, std::string_view bytes, std::string& message);
/// One packed field: varints, which may be negative.
void AppendProtoPacked(std::uint32_t number, std::span<const std::int64_t> values,
                       std::string& message);

}  // namespace slipway::server
