// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"
#include "runtime/tools/tensor_file.h"

namespace slipway::runtime {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::int64_t kMostChars = 1 << 20;

Error Invalid(std::string message) {
  return {.code = Code::kInvalidArgument,
          .message = "no valid .npy file: " + std::move(message),
          .id = "Tensor.Invalid"};
}

struct Header {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

struct NpyType {
  std::string_view descr;  ///< without byte order
  DType dtype;
};
constexpr NpyType kTypes[] = {
    {"f4", DType::kFloat32},   {"f8", DType::kFloat64},    {"f2", DType::kFloat16},
    {"i1", DType::kInt8},      {"i2", DType::kInt16},      {"i4", DType::kInt32},
    {"i8", DType::kInt64},     {"u1", DType::kUint8},      {"u2", DType::kUint16},
    {"u4", DType::kUint32},    {"u8", DType::kUint64},     {"b1", DType::kBool},
    {"c8", DType::kComplex64}, {"c16", DType::kComplex128}};

/// The text that follows `'key':` in the header's Python dict.
std::string_view After(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const auto at = header.find(fmt::format("{0}{1}{0}", quote, key));
    if (at == std::string_view::npos) continue;
    const auto colon = header.find(':', at);
    if (colon != std::string_view::npos) return Trim(header.substr(colon + 1));
  }
  return {};
}

Result<Shape> ParseShape(std::string_view text) {
  if (!text.starts_with('(')) return Invalid("it has no shape");
  const auto end = text.find(')');
  if (end == std::string_view::npos) return Invalid("its shape does not end");
  Shape shape;
  for (const std::string& item : Split(text.substr(1, end - 1), ',')) {
    const std::string_view digits = Trim(item);
    if (digits.empty()) continue;
    std::int64_t dim = 0;
    const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), dim);
    if (error != std::errc() || at != digits.data() + digits.size() || dim < 0) {
      return Invalid(fmt::format("'{}' is no dimension", digits));
    }
    shape.push_back(dim);
  }
  return shape;
}

Result<Header> ParseHeader(std::string_view text) {
  Header header;
  const std::string_view descr = After(text, "descr");
  if (descr.size() < 2 || (descr[0] != '\'' && descr[0] != '"')) {
    return Invalid("its element type is a record or missing");
  }
  const auto end = descr.find(descr[0], 1);
  if (end == std::string_view::npos) return Invalid("its element type does not end");
  header.descr = descr.substr(1, end - 1);
  header.fortran = After(text, "fortran_order").starts_with("True");
  header.shape = TRY(ParseShape(After(text, "shape")));
  return header;
}

void SwapBytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t i = 0; i + width <= bytes.size(); i += width) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
}

/// Column-major elements of `width` bytes into row-major order.
void FromFortran(const std::byte* from, std::byte* to, const Shape& shape, std::int64_t count,
                 std::size_t width) {
  Shape index(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = 0, step = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      at += index[d] * step;
      step *= shape[d];
    }
    std::memcpy(to + static_cast<std::size_t>(i) * width,
                from + static_cast<std::size_t>(at) * width, width);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code >= 0x110000 || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// `U<n>`: n code points of four bytes; `S<n>`: n bytes. Padded with zeros.
Result<Tensor> ReadStrings(const Header& header, std::span<const std::byte> data, bool big) {
  std::int64_t chars = 0;
  const std::string_view digits = std::string_view(header.descr).substr(2);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), chars);
  if (error != std::errc() || end != digits.data() + digits.size() || chars < 0 ||
      chars > kMostChars) {
    return Invalid(fmt::format("element type '{}' is not known", header.descr));
  }
  if (header.fortran && header.shape.size() > 1) return Invalid("strings in Fortran order");
  const bool wide = header.descr[1] == 'U';
  const std::int64_t width = chars * (wide ? 4 : 1);
  const std::int64_t count = TRY(ElementCount(header.shape));
  const std::int64_t bytes = TRY(CheckedMul(count, width, "the array"));
  if (bytes != static_cast<std::int64_t>(data.size()) || (width == 0 && count > kMostChars)) {
    return Invalid(fmt::format("{} bytes of data where {} belong", data.size(), bytes));
  }
  Tensor tensor = TRY(Tensor::Make(DType::kString, header.shape));
  const std::byte* at = data.data();
  for (std::string& text : tensor.data<std::string>()) {
    for (std::int64_t i = 0; i < chars; ++i, at += wide ? 4 : 1) {
      std::uint32_t code = std::to_integer<std::uint32_t>(*at);
      if (wide) std::memcpy(&code, at, 4);
      if (wide && big) code = __builtin_bswap32(code);
      if (code == 0) continue;
      if (wide) {
        AppendUtf8(text, code);
      } else {
        text += static_cast<char>(code);
      }
    }
  }
  return tensor;
}

Result<Tensor> ReadNumbers(const Header& header, DType dtype, std::span<const std::byte> data,
                           bool big) {
  const std::int64_t count = TRY(ElementCount(header.shape));
  const std::int64_t width = DTypeBits(dtype) / 8;
  const std::int64_t bytes = TRY(CheckedMul(count, width, "the array"));
  if (bytes != static_cast<std::int64_t>(data.size())) {
    return Invalid(fmt::format("{} bytes of data where {}{} has {}", data.size(), DTypeName(dtype),
                               ShapeText(header.shape), bytes));
  }
  Tensor tensor = TRY(Tensor::Make(dtype, header.shape));
  auto* out = static_cast<std::byte*>(tensor.raw());
  if (header.fortran && header.shape.size() > 1) {
    FromFortran(data.data(), out, header.shape, count, static_cast<std::size_t>(width));
  } else if (bytes > 0) {
    std::memcpy(out, data.data(), data.size());
  }
  const bool is_complex = dtype == DType::kComplex64 || dtype == DType::kComplex128;
  if (big) SwapBytes({out, data.size()}, static_cast<std::size_t>(is_complex ? width / 2 : width));
  if (dtype == DType::kBool) {
    for (std::uint8_t& element : tensor.data<std::uint8_t>()) element = element != 0;
  }
  return tensor;
}

std::string_view NpyName(DType dtype) {
  const auto found = std::ranges::find(kTypes, dtype, &NpyType::dtype);
  return found == std::end(kTypes) ? std::string_view() : found->descr;
}

}  // namespace

Result<Tensor> ReadNpy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic) || text.size() < 10) return Invalid("it has no NumPy header");
  const int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3) return Invalid(fmt::format("version {}", version));
  std::size_t length = 0;
  const std::size_t start = version == 1 ? 10 : 12;
  if (text.size() < start) return Invalid("it is cut short");
  for (std::size_t i = start; i-- > 8;) length = length << 8 | static_cast<std::uint8_t>(text[i]);
  if (length > text.size() - start) return Invalid("it is cut short");
  const Header header = TRY(ParseHeader(text.substr(start, length)));
  const auto data = bytes.subspan(start + length);
  if (header.descr.size() < 3) {
    return Invalid(fmt::format("element type '{}' is not known", header.descr));
  }
  const bool big = header.descr[0] == '>';
  if (header.descr[1] == 'U' || header.descr[1] == 'S') return ReadStrings(header, data, big);
  const auto found =
      std::ranges::find(kTypes, std::string_view(header.descr).substr(1), &NpyType::descr);
  if (found == std::end(kTypes) ||
      std::string_view("<>|=").find(header.descr[0]) == std::string_view::npos) {
    return Invalid(fmt::format("element type '{}' is not known", header.descr));
  }
  return ReadNumbers(header, found->dtype, data, big);
}

Result<std::string> WriteNpy(const Tensor& tensor) {
  const std::string_view name = NpyName(tensor.dtype());
  if (name.empty()) {
    return Error{
        .code = Code::kUnimplemented,
        .message = fmt::format("NumPy's format has no element type {}", DTypeName(tensor.dtype())),
        .id = "Tensor.NoNumpyType"};
  }
  std::string shape;
  for (std::int64_t dim : tensor.shape()) shape += fmt::format("{}, ", dim);
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);
  std::string header =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                  DTypeBits(tensor.dtype()) == 8 ? '|' : '<', name, std::string(Trim(shape)));
  header.resize((header.size() + 1 + 10 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  const auto bytes = tensor.raw_bytes();
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return out;
}

}  // namespace slipway::runtime
