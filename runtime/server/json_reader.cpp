// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/json_reader.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"

namespace slipway::server {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::size_t EndOfDigits(std::string_view text, std::size_t at) {
  while (at < text.size() && IsDigit(text[at])) ++at;
  return at;
}

void AppendUtf8(std::uint32_t point, std::string& out) {
  auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Json.Invalid"};
}

}  // namespace

std::size_t JsonReader::SkipSpace(std::string_view text, std::size_t at) {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) {
    ++at;
  }
  return at;
}

std::size_t JsonReader::EndOfNumber(std::string_view text, std::size_t start) {
  std::size_t at = start;
  if (at < text.size() && text[at] == '-') ++at;
  if (at >= text.size()) return start;
  for (std::string_view word : {std::string_view("Infinity"), std::string_view("NaN")}) {
    if (text[at] == word[0]) return text.substr(at, word.size()) == word ? at + word.size() : start;
  }
  if (!IsDigit(text[at])) return start;
  at = text[at] == '0' ? at + 1 : EndOfDigits(text, at);
  if (at < text.size() && text[at] == '.') {
    const std::size_t end = EndOfDigits(text, at + 1);
    if (end == at + 1) return start;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t end = EndOfDigits(text, at);
    if (end == at) return start;
    at = end;
  }
  return at < text.size() && IsDigit(text[at]) ? start : at;
}

JsonReader::Kind JsonReader::Peek() {
  position_ = SkipSpace(text_, position_);
  if (position_ >= text_.size()) return Kind::kNothing;
  switch (const char c = text_[position_]; c) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return IsDigit(c) || c == '-' || c == 'N' || c == 'I' ? Kind::kNumber : Kind::kNothing;
  }
}

Error JsonReader::Unexpected(std::string_view wanted) {
  position_ = SkipSpace(text_, position_);
  if (position_ >= text_.size()) {
    return Bad(fmt::format("JSON ends at byte {} where {} was expected", position_, wanted));
  }
  const auto c = static_cast<unsigned char>(text_[position_]);
  const std::string got = c >= 0x20 && c < 0x7F ? fmt::format("'{}'", static_cast<char>(c))
                                                : fmt::format("byte 0x{:02x}", c);
  return Bad(fmt::format("JSON has {} at byte {} where {} was expected", got, position_, wanted));
}

Result<void> JsonReader::Open(char bracket, std::string_view wanted) {
  position_ = SkipSpace(text_, position_);
  if (position_ >= text_.size() || text_[position_] != bracket) return Unexpected(wanted);
  if (depth_ + 1 >= began_.size()) {
    return Bad(fmt::format("JSON is nested deeper than {} levels", limits::kJsonDepth));
  }
  ++position_;
  began_[++depth_] = false;
  return {};
}

Result<bool> JsonReader::Next(char close) {
  position_ = SkipSpace(text_, position_);
  if (position_ < text_.size() && text_[position_] == close) {
    ++position_;
    --depth_;
    return false;
  }
  if (began_[depth_]) {
    if (position_ >= text_.size() || text_[position_] != ',') {
      return Unexpected(fmt::format("',' or '{}'", close));
    }
    ++position_;
  }
  began_[depth_] = true;
  return true;
}

Result<void> JsonReader::BeginObject() { return Open('{', "an object"); }
Result<void> JsonReader::BeginArray() { return Open('[', "an array"); }

Result<bool> JsonReader::NextMember(std::string& name) {
  if (!TRY(Next('}'))) return false;
  name = TRY(String());
  position_ = SkipSpace(text_, position_);
  if (position_ >= text_.size() || text_[position_] != ':') return Unexpected("':'");
  ++position_;
  return true;
}

Result<bool> JsonReader::NextItem() { return Next(']'); }

Result<std::uint32_t> JsonReader::FourHex() {
  std::uint32_t value = 0;
  if (text_.size() - position_ < 4) return Unexpected("four hex digits");
  const char* begin = text_.data() + position_;
  auto [end, error] = std::from_chars(begin, begin + 4, value, 16);
  if (error != std::errc() || end != begin + 4) return Unexpected("four hex digits");
  position_ += 4;
  return value;
}

Result<void> JsonReader::AppendEscape(std::string& out) {
  static constexpr std::string_view kNames = "\"\\/bfnrt";
  static constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  if (position_ >= text_.size()) return Unexpected("an escape");
  const char c = text_[position_];
  if (const auto found = kNames.find(c); found != std::string_view::npos) {
    out.push_back(kValues[found]);
    ++position_;
    return {};
  }
  if (c != 'u') return Unexpected("an escape");
  ++position_;
  std::uint32_t point = TRY(FourHex());
  if (point >= 0xDC00 && point < 0xE000) return Unexpected("the other half of a surrogate pair");
  if (point >= 0xD800 && point < 0xDC00) {
    if (text_.substr(position_, 2) != "\\u") return Unexpected("the second of a surrogate pair");
    position_ += 2;
    const std::uint32_t low = TRY(FourHex());
    if (low < 0xDC00 || low > 0xDFFF) return Unexpected("the second of a surrogate pair");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(point, out);
  return {};
}

Result<std::string> JsonReader::String() {
  if (Peek() != Kind::kString) return Unexpected("a string");
  const std::size_t start = ++position_;
  std::string out;
  while (true) {
    std::size_t end = position_;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
           static_cast<unsigned char>(text_[end]) >= 0x20) {
      ++end;
    }
    out.append(text_.substr(position_, end - position_));
    position_ = end;
    if (end >= text_.size() || static_cast<unsigned char>(text_[end]) < 0x20) {
      return Unexpected("the end of a string");
    }
    ++position_;
    if (text_[end] == '"') break;
    TRY(AppendEscape(out));
  }
  if (!IsUtf8(out)) return Bad(fmt::format("JSON string at byte {} is not UTF-8", start - 1));
  return out;
}

Result<std::string_view> JsonReader::Number() {
  if (Peek() != Kind::kNumber) return Unexpected("a number");
  const std::size_t end = EndOfNumber(text_, position_);
  if (end == position_) return Unexpected("a number");
  const std::string_view token = text_.substr(position_, end - position_);
  position_ = end;
  return token;
}

Result<std::int64_t> JsonReader::Int() {
  const std::string_view token = TRY(Number());
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size()) {
    return Bad(fmt::format("{} is no 64-bit integer", token));
  }
  return value;
}

Result<bool> JsonReader::Bool() {
  if (Peek() != Kind::kBool) return Unexpected("true or false");
  for (std::string_view word : {std::string_view("true"), std::string_view("false")}) {
    if (text_.substr(position_, word.size()) == word) {
      position_ += word.size();
      return word == "true";
    }
  }
  return Unexpected("true or false");
}

Result<void> JsonReader::Null() {
  if (Peek() != Kind::kNull || text_.substr(position_, 4) != "null") return Unexpected("null");
  position_ += 4;
  return {};
}

Result<void> JsonReader::SkipString() {
  const std::size_t end = text_.find_first_of("\"\\", position_ + 1);
  if (end != std::string_view::npos && text_[end] == '"') {
    position_ = end + 1;
    return {};
  }
  TRY(String());
  return {};
}

Result<void> JsonReader::Skip() {
  const std::size_t floor = depth_;
  std::string closers;
  std::string name;
  do {
    bool more = true;
    if (!closers.empty()) {
      if (closers.back() == '}') {
        more = TRY(NextMember(name));
      } else {
        more = TRY(NextItem());
      }
    }
    if (!more) {
      closers.pop_back();
      continue;
    }
    switch (Peek()) {
      case Kind::kObject:
        TRY(BeginObject());
        closers.push_back('}');
        break;
      case Kind::kArray:
        TRY(BeginArray());
        closers.push_back(']');
        break;
      case Kind::kString:
        TRY(SkipString());
        break;
      case Kind::kNumber:
        TRY(Number());
        break;
      case Kind::kBool:
        TRY(Bool());
        break;
      case Kind::kNull:
        TRY(Null());
        break;
      case Kind::kNothing:
        return Unexpected("a value");
    }
  } while (depth_ > floor);
  return {};
}

Result<void> JsonReader::Finish() {
  position_ = SkipSpace(text_, position_);
  if (position_ < text_.size()) return Unexpected("the end");
  return {};
}

}  // namespace slipway::server
