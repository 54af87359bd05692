// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/server/json_tensor.h"
#include "runtime/server/small_float.h"

namespace slipway::server {
namespace {

using runtime::DType;
using runtime::Shape;
using runtime::Tensor;

enum class Small : std::uint8_t { kHalf, kBfloat16 };

Error Bad(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message), .id = "Input.Invalid"};
}

/// A number token as a double: rounded once, infinite only if the text says so.
bool ToDouble(std::string_view token, double& value) {
  const bool negative = token[0] == '-';
  const std::string_view word = token.substr(negative ? 1 : 0);
  if (word == "NaN" || word == "Infinity") {
    value = word == "NaN" ? std::numeric_limits<double>::quiet_NaN()
                          : std::numeric_limits<double>::infinity();
    if (negative) value = -value;
    return true;
  }
  auto result = std::from_chars(token.data(), token.data() + token.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    value = std::strtod(std::string(token).c_str(), nullptr);
  }
  return std::isfinite(value);
}

bool Convert(std::string_view token, float& value) {
  auto result = std::from_chars(token.data(), token.data() + token.size(), value);
  if (result.ec == std::errc() && std::isfinite(value)) return true;
  double wide = 0;
  if (!ToDouble(token, wide)) return false;
  value = static_cast<float>(wide);
  return !std::isfinite(wide) || std::isfinite(value);
}

bool Convert(std::string_view token, double& value) { return ToDouble(token, value); }

template <class T>
requires std::is_integral_v<T>
bool Convert(std::string_view token, T& value) {
  auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error == std::errc() && end == token.data() + token.size()) return true;
  double wide = 0;
  if (token.find_first_of(".eE") == std::string_view::npos || !ToDouble(token, wide)) return false;
  constexpr double kExact = 9007199254740992.0;
  if (wide != std::trunc(wide) || std::fabs(wide) > kExact) return false;
  const auto whole = static_cast<std::int64_t>(wide);
  if (!std::in_range<T>(whole)) return false;
  value = static_cast<T>(whole);
  return true;
}

/// Powers of ten, each exact.
constexpr std::array kTens = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

/// How many digits the quick way takes.
template <class T>
constexpr std::ptrdiff_t kQuickDigits = std::min(std::numeric_limits<T>::digits10, 18);
template <>
constexpr std::ptrdiff_t kQuickDigits<float> = 18;

/// `number` / 10^`tens`, rounded once; false where that cannot be told.
template <class T>
bool Quotient(std::int64_t number, std::size_t /*tens*/, T& value) {
  value = static_cast<T>(number);
  return true;
}
bool Quotient(std::int64_t number, std::size_t tens, double& value) {
  value = static_cast<double>(number);
  if (tens > 0) value /= kTens[tens];
  return true;
}
/// A quotient in doubles is off by two units in the last place at most. It gives the nearest float
/// unless it lies that close to the middle between two.
bool Quotient(std::int64_t number, std::size_t tens, float& value) {
  constexpr std::uint64_t kBelowFloat = (1ULL << 29) - 1, kMiddle = 1ULL << 28, kDoubt = 4;
  double wide = 0;
  Quotient(number, tens, wide);
  const std::uint64_t rest = std::bit_cast<std::uint64_t>(wide) & kBelowFloat;
  value = static_cast<float>(wide);
  return rest + kDoubt < kMiddle || rest > kMiddle + kDoubt;
}

/// The quick way for most numbers: of so few digits that they are exact, and with a comma or a
/// bracket right behind. Gives where the number ends; `start` where the general way must read it.
template <class T>
const char* ReadShort(const char* const start, const char* const end, T& value) {
  const bool negative = std::is_signed_v<T> && start < end && *start == '-';
  const char* const first = start + (negative ? 1 : 0);
  const char* next = first;
  std::int64_t number = 0;
  const auto read_digits = [&](std::ptrdiff_t most) {
    const char* const last = next + std::min(most, end - next);
    for (; next < last && *next >= '0' && *next <= '9'; ++next)
      number = 10 * number + (*next - '0');
  };
  read_digits(kQuickDigits<T>);
  if (next == first || next == end || (*first == '0' && next > first + 1)) return start;
  std::size_t fraction = 0;
  if (std::is_floating_point_v<T> && *next == '.') {
    const char* const point = next++;
    read_digits(kQuickDigits<T> - (point - first));
    fraction = static_cast<std::size_t>(next - point - 1);
    if (fraction == 0 || next == end) return start;
  }
  if (*next != ',' && *next != ']') return start;
  if (!Quotient(number, fraction, value)) return start;
  if (negative) value = static_cast<T>(-value);
  return next;
}

/// What is written into a tensor's elements for each scalar of the text. One per element type.
template <class T>
struct Numbers {
  using Element = T;
  static constexpr auto& kReadQuickly = ReadShort<T>;
  static Result<std::size_t> Read(std::string_view text, std::size_t at, T& value) {
    const std::size_t end = JsonReader::EndOfNumber(text, at);
    if (end != at && Convert(text.substr(at, end - at), value)) return end;
    return ReadSlow(text, at, end, value);
  }

 private:
  static Result<std::size_t> ReadSlow(std::string_view text, std::size_t at, std::size_t end,
                                      T& value) {
    JsonReader reader(text);
    reader.MoveTo(at);
    if (end != at) {
      return Bad(fmt::format("{} at byte {} is no value of the element type",
                             text.substr(at, std::min<std::size_t>(end - at, 40)), at));
    }
    if (std::is_floating_point_v<T> && reader.Peek() == JsonReader::Kind::kString) {
      const std::string word = TRY(reader.String());
      if (word != "NaN" && word != "Infinity" && word != "-Infinity") {
        return Bad(fmt::format("string at byte {} where a number was expected", at));
      }
      Convert(word, value);
      return reader.position();
    }
    return reader.Unexpected("a number");
  }
};

template <Small small>
struct SmallFloats {
  using Element = std::uint16_t;
  static Result<std::size_t> Read(std::string_view text, std::size_t at, std::uint16_t& value) {
    double wide = 0;
    const std::size_t end = TRY(Numbers<double>::Read(text, at, wide));
    value = small == Small::kHalf ? HalfFromDouble(wide) : Bfloat16FromDouble(wide);
    const bool lost =
        std::isfinite(wide) &&
        !std::isfinite(small == Small::kHalf ? HalfToFloat(value) : Bfloat16ToFloat(value));
    if (lost) return Bad(fmt::format("{} at byte {} is too large for its element type", wide, at));
    return end;
  }
};

struct Bools {
  using Element = std::uint8_t;
  static Result<std::size_t> Read(std::string_view text, std::size_t at, std::uint8_t& value) {
    JsonReader reader(text);
    reader.MoveTo(at);
    if (reader.Peek() == JsonReader::Kind::kNumber) {
      const std::string_view token = TRY(reader.Number());
      if (token != "0" && token != "1") {
        return Bad(fmt::format("{} at byte {} is no bool", token, at));
      }
      value = token == "1";
    } else {
      value = TRY(reader.Bool());
    }
    return reader.position();
  }
};

struct Strings {
  using Element = std::string;
  static Result<std::size_t> Read(std::string_view text, std::size_t at, std::string& value) {
    JsonReader reader(text);
    reader.MoveTo(at);
    value = TRY(reader.String());
    return reader.position();
  }
};

/// Follows the nesting and learns the shape from it.
class Nesting {
 public:
  bool at_top() const { return depth_ == 0; }
  std::size_t depth() const { return depth_; }

  Result<void> Open(std::size_t at) {
    if (leaf_ != kUnknown && depth_ >= leaf_) return Uneven(at);
    if (depth_ >= static_cast<std::size_t>(limits::kTensorRank)) {
      return Bad(fmt::format("array at byte {} is nested deeper than {}", at, limits::kTensorRank));
    }
    if (depth_ > 0) ++counts_[depth_ - 1];
    if (depth_ == shape_.size()) {
      if (depth_ == 0) shape_.reserve(kUsualRank);
      shape_.push_back(-1);
    }
    counts_[depth_++] = 0;
    return {};
  }

  Result<void> Close(std::size_t at) {
    --depth_;
    if (shape_[depth_] < 0) shape_[depth_] = counts_[depth_];
    if (shape_[depth_] != counts_[depth_]) return Uneven(at);
    return {};
  }

  bool CountLeaves(std::size_t count) {
    if (leaf_ == kUnknown) leaf_ = depth_;
    if (depth_ != leaf_ || leaf_ < shape_.size()) return false;
    if (depth_ > 0) counts_[depth_ - 1] += static_cast<std::int64_t>(count);
    return true;
  }

  static Error Uneven(std::size_t at) {
    return Bad(fmt::format("array is uneven at byte {}: every row must have one length", at));
  }

  Shape TakeShape() { return std::move(shape_); }

 private:
  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);
  static constexpr std::size_t kUsualRank = 4;
  std::size_t depth_ = 0, leaf_ = kUnknown;
  std::array<std::int64_t, static_cast<std::size_t>(limits::kTensorRank)> counts_{};
  Shape shape_;
};

template <class Kind>
struct Collected {
  std::vector<typename Kind::Element> elements;
  Shape shape;
};

/// The separator after a value or a closing bracket: passes `,`, refuses a missing one.
Result<bool> PassComma(std::string_view text, std::size_t& at) {
  at = JsonReader::SkipSpace(text, at);
  if (at < text.size() && text[at] == ',') {
    at = JsonReader::SkipSpace(text, at + 1);
    return true;
  }
  return false;
}

/// Takes numbers that can be read quickly off a row, each with what is behind it. Gives where the
/// row goes on: `wants_value` tells whether with a value, for the general way to read, or with its
/// bracket.
template <class Kind>
std::size_t CollectRow(std::string_view text, std::size_t at, bool& wants_value,
                       std::vector<typename Kind::Element>& elements) {
  typename Kind::Element element{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* next = begin + at;
  while (wants_value) {
    const char* const behind = Kind::kReadQuickly(next, end, element);
    if (behind == next) break;
    elements.push_back(element);
    wants_value = *behind == ',';
    next = wants_value ? behind + 1 : behind;
    if (next < end && *next <= ' ') {
      next = begin + JsonReader::SkipSpace(text, static_cast<std::size_t>(next - begin));
    }
  }
  return static_cast<std::size_t>(next - begin);
}

template <class Kind>
Result<Collected<Kind>> Collect(JsonReader& reader, std::size_t expected) {
  const std::string_view text = reader.text();
  std::size_t at = JsonReader::SkipSpace(text, reader.position());
  Collected<Kind> out;
  out.elements.reserve(std::min((text.size() - std::min(at, text.size())) / 2 + 1, expected));
  Nesting nesting;
  bool want_value = true;
  do {
    if (at < text.size() && text[at] == '[') {
      TRY(nesting.Open(at));
      at = JsonReader::SkipSpace(text, at + 1);
      if (at >= text.size() || text[at] != ']') continue;
      want_value = false;
    }
    if constexpr (requires { Kind::kReadQuickly; }) {
      if (want_value && !nesting.at_top()) {
        const std::size_t before = out.elements.size();
        const std::size_t next = CollectRow<Kind>(text, at, want_value, out.elements);
        const std::size_t count = out.elements.size() - before;
        if (count > 0 && !nesting.CountLeaves(count)) return Nesting::Uneven(at);
        at = next;
        if (count > 0 && want_value) continue;
      }
    }
    if (want_value) {
      if (!nesting.CountLeaves(1)) return Nesting::Uneven(at);
      typename Kind::Element element{};
      at = TRY(Kind::Read(text, at, element));
      out.elements.push_back(std::move(element));
      want_value = false;
    }
    while (!want_value && !nesting.at_top()) {
      if (at < text.size() && text[at] == ']') {
        TRY(nesting.Close(at));
        ++at;
      }
      if (nesting.at_top()) break;
      want_value = TRY(PassComma(text, at));
      if (!want_value && (at >= text.size() || text[at] != ']')) {
        reader.MoveTo(at);
        return reader.Unexpected("',' or ']'");
      }
    }
  } while (!nesting.at_top());
  reader.MoveTo(at);
  out.shape = nesting.TakeShape();
  return out;
}

template <class Kind>
Result<Tensor> Make(JsonReader& reader, DType dtype, const Shape* wanted) {
  std::size_t expected = std::size_t{1} << 20;
  std::int64_t count = 0;
  if (wanted != nullptr) {
    count = TRY(runtime::ElementCount(*wanted));
    expected = static_cast<std::size_t>(count);
  }
  Collected<Kind> got = TRY(Collect<Kind>(reader, expected));
  if (wanted != nullptr) {
    if (static_cast<std::int64_t>(got.elements.size()) != count) {
      return Bad(fmt::format("{} values for shape {}, which takes {}", got.elements.size(),
                             runtime::ShapeText(*wanted), count));
    }
    if (got.shape.size() > 1 && got.shape != *wanted) {
      return Bad(fmt::format("data is nested as {} for shape {}", runtime::ShapeText(got.shape),
                             runtime::ShapeText(*wanted)));
    }
    got.shape = *wanted;
  }
  return Tensor::FromVector(dtype, std::move(got.shape), std::move(got.elements));
}

Result<Tensor> Read(JsonReader& reader, DType dtype, const Shape* wanted) {
  switch (dtype) {
    case DType::kFloat32:
      return Make<Numbers<float>>(reader, dtype, wanted);
    case DType::kFloat64:
      return Make<Numbers<double>>(reader, dtype, wanted);
    case DType::kFloat16:
      return Make<SmallFloats<Small::kHalf>>(reader, dtype, wanted);
    case DType::kBfloat16:
      return Make<SmallFloats<Small::kBfloat16>>(reader, dtype, wanted);
    case DType::kInt8:
      return Make<Numbers<std::int8_t>>(reader, dtype, wanted);
    case DType::kInt16:
      return Make<Numbers<std::int16_t>>(reader, dtype, wanted);
    case DType::kInt32:
      return Make<Numbers<std::int32_t>>(reader, dtype, wanted);
    case DType::kInt64:
      return Make<Numbers<std::int64_t>>(reader, dtype, wanted);
    case DType::kUint8:
      return Make<Numbers<std::uint8_t>>(reader, dtype, wanted);
    case DType::kUint16:
      return Make<Numbers<std::uint16_t>>(reader, dtype, wanted);
    case DType::kUint32:
      return Make<Numbers<std::uint32_t>>(reader, dtype, wanted);
    case DType::kUint64:
      return Make<Numbers<std::uint64_t>>(reader, dtype, wanted);
    case DType::kBool:
      return Make<Bools>(reader, dtype, wanted);
    case DType::kString:
      return Make<Strings>(reader, dtype, wanted);
    default:
      return Error{.code = Code::kUnimplemented,
                   .message = fmt::format("elements of type {} have no JSON form",
                                          runtime::DTypeName(dtype)),
                   .fix = "send the tensor as rawData or in binary form"};
  }
}

}  // namespace

bool HasJsonForm(DType dtype) {
  switch (dtype) {
    case DType::kComplex64:
    case DType::kComplex128:
      return false;
    default:
      return dtype != DType::kUndefined && dtype <= DType::kBfloat16;
  }
}

Result<Tensor> ReadNested(JsonReader& reader, DType dtype) { return Read(reader, dtype, nullptr); }

Result<Tensor> ReadShaped(JsonReader& reader, DType dtype, const Shape& shape) {
  return Read(reader, dtype, &shape);
}

}  // namespace slipway::server
