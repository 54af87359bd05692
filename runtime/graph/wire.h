// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::runtime {

/// The fields of one serialised protocol buffer message, in order, over bytes it does not own.
/// Untrusted bytes are fine: what does not parse ends the walk, and `status` says why.
///
///     while (reader.Next()) switch (reader.number()) { case 1: name = reader.Text(); }
///     TRY(reader.status());
///
/// Source: protobuf.dev, "Encoding".
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// Goes to the next field; false at the end and on damage.
  bool Next();
  std::uint32_t number() const { return number_; }
  Result<void> status() const;

  /// The current field's value. A field of another wire type is damage.
  std::int64_t Int();
  float Float();
  std::string_view Text();
  std::span<const std::byte> Bytes();
  /// Repeated scalars, packed or one by one, are appended.
  void Ints(std::vector<std::int64_t>& out);
  void Floats(std::vector<float>& out);
  void Doubles(std::vector<double>& out);
  /// Bytes of the field's tag and length that lie before Bytes().
  std::size_t header_bytes() const { return header_bytes_; }

 private:
  bool Varint(std::uint64_t& value);
  bool Fail(std::string_view why);
  bool Expect(int wire);
  template <class T>
  void Fixed(int wire, std::vector<T>& out);

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint32_t number_ = 0;
  int wire_ = 0;
  std::uint64_t value_ = 0;
  std::span<const std::byte> payload_;
  std::size_t header_bytes_ = 0;
  std::string failure_;
};

/// Builds a serialised message.
class WireWriter {
 public:
  void Int(std::uint32_t number, std::int64_t value);
  void Bytes(std::uint32_t number, std::string_view bytes);
  std::string Take() { return std::move(out_); }

 private:
  void Varint(std::uint64_t value);
  std::string out_;
};

}  // namespace slipway::runtime
