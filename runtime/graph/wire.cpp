// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/wire.h"

#include <fmt/format.h>

namespace slipway::runtime {
namespace {

constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kLengthDelimited = 2;
constexpr int kFixed32 = 5;

template <class T>
T Load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

bool WireReader::Fail(std::string_view why) {
  if (failure_.empty()) {
    failure_ = number_ == 0 ? std::string(why) : fmt::format("field {}: {}", number_, why);
  }
  at_ = bytes_.size();
  return false;
}

bool WireReader::Varint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at_ >= bytes_.size()) return Fail("cut short");
    const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
    if (shift < 64) value |= (byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return Fail("a number of more than ten bytes");
}

bool WireReader::Next() {
  if (!failure_.empty() || at_ >= bytes_.size()) return false;
  const std::size_t start = at_;
  std::uint64_t tag = 0;
  if (!Varint(tag)) return false;
  wire_ = static_cast<int>(tag & 7);
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return Fail("no valid field number");
  number_ = static_cast<std::uint32_t>(tag >> 3);
  std::size_t length = 0;
  if (wire_ == kVarint) return Varint(value_);
  if (wire_ == kLengthDelimited) {
    std::uint64_t wanted = 0;
    if (!Varint(wanted)) return false;
    if (wanted > bytes_.size() - at_) return Fail("cut short");
    length = static_cast<std::size_t>(wanted);
  } else if (wire_ == kFixed32 || wire_ == kFixed64) {
    length = wire_ == kFixed32 ? 4 : 8;
    if (length > bytes_.size() - at_) return Fail("cut short");
  } else {
    return Fail(fmt::format("wire type {} is not known", wire_));
  }
  header_bytes_ = at_ - start;
  payload_ = bytes_.subspan(at_, length);
  at_ += length;
  return true;
}

Result<void> WireReader::status() const {
  if (failure_.empty()) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = failure_,
               .id = "Model.Invalid",
               .fix = "the file is damaged or of another kind: get it again"};
}

bool WireReader::Expect(int wire) {
  if (wire_ == wire) return true;
  return Fail(fmt::format("wire type {} where {} belongs", wire_, wire));
}

std::int64_t WireReader::Int() { return Expect(kVarint) ? static_cast<std::int64_t>(value_) : 0; }

float WireReader::Float() { return Expect(kFixed32) ? Load<float>(payload_.data()) : 0; }

std::span<const std::byte> WireReader::Bytes() {
  return Expect(kLengthDelimited) ? payload_ : std::span<const std::byte>();
}

std::string_view WireReader::Text() {
  const auto bytes = Bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void WireReader::Ints(std::vector<std::int64_t>& out) {
  if (wire_ == kVarint) {
    out.push_back(static_cast<std::int64_t>(value_));
    return;
  }
  if (!Expect(kLengthDelimited)) return;
  WireReader packed(payload_);
  packed.number_ = number_;
  std::uint64_t value = 0;
  while (packed.at_ < packed.bytes_.size()) {
    if (!packed.Varint(value)) {
      Fail("a packed list is cut short");
      return;
    }
    out.push_back(static_cast<std::int64_t>(value));
  }
}

template <class T>
void WireReader::Fixed(int wire, std::vector<T>& out) {
  if (wire_ == wire) {
    out.push_back(Load<T>(payload_.data()));
    return;
  }
  if (!Expect(kLengthDelimited)) return;
  if (payload_.size() % sizeof(T) != 0) {
    Fail("a packed list is cut short");
    return;
  }
  const std::size_t count = payload_.size() / sizeof(T);
  const std::size_t before = out.size();
  out.resize(before + count);
  if (count > 0) std::memcpy(out.data() + before, payload_.data(), payload_.size());
}

void WireReader::Floats(std::vector<float>& out) { Fixed(kFixed32, out); }
void WireReader::Doubles(std::vector<double>& out) { Fixed(kFixed64, out); }

void WireWriter::Varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void WireWriter::Int(std::uint32_t number, std::int64_t value) {
  Varint(std::uint64_t{number} << 3);
  Varint(static_cast<std::uint64_t>(value));
}

void WireWriter::Bytes(std::uint32_t number, std::string_view bytes) {
  Varint(std::uint64_t{number} << 3 | kLengthDelimited);
  Varint(bytes.size());
  out_ += bytes;
}

}  // namespace slipway::runtime
