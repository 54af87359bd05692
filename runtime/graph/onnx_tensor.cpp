// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/limits.h"
#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/wire.h"

namespace slipway::runtime::proto {
namespace {

constexpr std::int64_t kMaxSparseElements = std::int64_t{1} << 31;

/// A TensorProto as it was read.
struct Raw {
  std::string name;
  Shape dims;
  std::int64_t data_type = 0, data_location = 0;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> ints32, ints64, uints64;
  std::vector<std::string_view> strings;
  std::span<const std::byte> raw;
  std::size_t raw_header = 0;
  bool has_raw = false, has_segment = false;
  std::vector<std::pair<std::string, std::string>> external;
};

Result<std::pair<std::string, std::string>> ReadEntry(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  std::pair<std::string, std::string> entry;
  while (reader.Next()) {
    if (reader.number() == 1) entry.first = reader.Text();
    if (reader.number() == 2) entry.second = reader.Text();
  }
  TRY(reader.status());
  return entry;
}

Result<Raw> ReadRaw(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  Raw raw;
  while (reader.Next()) {
    switch (reader.number()) {
      case 1:
        reader.Ints(raw.dims);
        break;
      case 2:
        raw.data_type = reader.Int();
        break;
      case 3:
        raw.has_segment = true;
        break;
      case 4:
        reader.Floats(raw.floats);
        break;
      case 5:
        reader.Ints(raw.ints32);
        break;
      case 6:
        raw.strings.push_back(reader.Text());
        break;
      case 7:
        reader.Ints(raw.ints64);
        break;
      case 8:
        raw.name = reader.Text();
        break;
      case 9:
        raw.raw = reader.Bytes();
        raw.raw_header = reader.header_bytes();
        raw.has_raw = true;
        break;
      case 10:
        reader.Doubles(raw.doubles);
        break;
      case 11:
        reader.Ints(raw.uints64);
        break;
      case 13:
        raw.external.push_back(TRY(ReadEntry(reader.Bytes())));
        break;
      case 14:
        raw.data_location = reader.Int();
        break;
      default:
        break;
    }
  }
  TRY(reader.status());
  return raw;
}

bool IsPackedInBytes(DType dtype) { return DTypeBits(dtype) < 8; }

std::size_t AlignmentOf(DType dtype) {
  const int bits = DTypeBits(dtype);
  if (dtype == DType::kComplex64) return 4;
  if (dtype == DType::kComplex128) return 8;
  return bits >= 8 ? static_cast<std::size_t>(bits / 8) : 1;
}

void NormaliseBools(Tensor& tensor) {
  if (tensor.dtype() != DType::kBool) return;
  for (std::uint8_t& element : tensor.data<std::uint8_t>()) element = element != 0;
}

/// Raw bytes become the tensor's memory where they lie: moved down over their own field header
/// where that is needed for alignment. Nothing if that does not suffice.
std::optional<Tensor> Adopt(const Raw& raw, DType dtype, const Source& source) {
  if (source.owner == nullptr || raw.raw.empty()) return std::nullopt;
  auto* at = const_cast<std::byte*>(raw.raw.data());
  const std::size_t off = reinterpret_cast<std::uintptr_t>(at) % AlignmentOf(dtype);
  if (off > raw.raw_header) return std::nullopt;
  if (off > 0) std::memmove(at - off, at, raw.raw.size());
  if (source.stored == nullptr || dtype == DType::kBool) {
    return Tensor::Wrap(dtype, raw.dims, source.owner, at - off);
  }
  return source.stored->View(dtype, raw.dims, at - off, at - source.stored->bytes().data());
}

bool IsSixBit(DType dtype) { return dtype == DType::kFloat6E2M3 || dtype == DType::kFloat6E3M2; }

/// Four elements lie in three bytes, first element in the low bits; in memory each has a byte.
Result<Tensor> FromSixBits(DType dtype, const Shape& dims, std::span<const std::byte> packed) {
  Tensor tensor = TRY(Tensor::Make(dtype, dims));
  const auto out = tensor.data<std::uint8_t>();
  const auto byte = [&](std::size_t i) {
    return i < packed.size() ? std::to_integer<unsigned>(packed[i]) : 0U;
  };
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t bit = 6 * i;
    const unsigned two = byte(bit / 8) | byte(bit / 8 + 1) << 8;
    out[i] = static_cast<std::uint8_t>(two >> bit % 8 & 0x3fU);
  }
  return tensor;
}

Result<Tensor> FromRaw(const Raw& raw, DType dtype, std::int64_t bytes, const Source& source) {
  if (static_cast<std::int64_t>(raw.raw.size()) != bytes) {
    return Invalid(fmt::format("{} bytes of raw_data where {}{} has {}", raw.raw.size(),
                               DTypeName(dtype), ShapeText(raw.dims), bytes));
  }
  if (IsSixBit(dtype)) return FromSixBits(dtype, raw.dims, raw.raw);
  if (auto adopted = Adopt(raw, dtype, source)) {
    NormaliseBools(*adopted);
    return std::move(*adopted);
  }
  Tensor tensor = TRY(Tensor::Make(dtype, raw.dims));
  if (bytes > 0) std::memcpy(tensor.raw(), raw.raw.data(), raw.raw.size());
  NormaliseBools(tensor);
  return tensor;
}

Result<void> WantCount(std::size_t have, std::int64_t want, std::string_view field) {
  if (static_cast<std::int64_t>(have) == want) return {};
  return Invalid(fmt::format("{} values of {} where the shape asks for {}", have, field, want));
}

template <class To, class From>
void Narrowed(const std::vector<From>& from, Tensor& to) {
  std::ranges::transform(from, to.data<To>().begin(), [](From v) { return static_cast<To>(v); });
}

Result<Tensor> FromInt32(const Raw& raw, DType dtype, std::int64_t bytes) {
  Tensor tensor = TRY(Tensor::Make(dtype, raw.dims));
  const int bits = DTypeBits(dtype);
  TRY(WantCount(raw.ints32.size(), IsPackedInBytes(dtype) ? bytes : tensor.size(), "int32_data"));
  if (IsPackedInBytes(dtype)) {
    auto* out = static_cast<std::uint8_t*>(tensor.raw());
    for (std::int64_t v : raw.ints32) *out++ = static_cast<std::uint8_t>(v);
  } else if (bits == 8) {
    Narrowed<std::uint8_t>(raw.ints32, tensor);
  } else if (bits == 16) {
    Narrowed<std::uint16_t>(raw.ints32, tensor);
  } else {
    Narrowed<std::uint32_t>(raw.ints32, tensor);
  }
  NormaliseBools(tensor);
  return tensor;
}

template <class T>
Result<Tensor> FromList(const Raw& raw, DType dtype, const std::vector<T>& list,
                        std::string_view field) {
  Tensor tensor = TRY(Tensor::Make(dtype, raw.dims));
  const std::int64_t bytes = tensor.bytes();
  TRY(WantCount(list.size(), bytes / static_cast<std::int64_t>(sizeof(T)), field));
  if (bytes > 0) std::memcpy(tensor.raw(), list.data(), static_cast<std::size_t>(bytes));
  return tensor;
}

Result<Tensor> FromStrings(const Raw& raw) {
  const std::int64_t size = TRY(ElementCount(raw.dims));
  TRY(WantCount(raw.strings.size(), size, "string_data"));
  Tensor tensor = TRY(Tensor::Make(DType::kString, raw.dims));
  std::ranges::transform(raw.strings, tensor.data<std::string>().begin(),
                         [](std::string_view s) { return std::string(s); });
  return tensor;
}

/// Typed fields that a tensor of that size must fill: refused before anything is allocated.
Result<void> WantSomeData(const Raw& raw, std::int64_t size) {
  const std::size_t values = raw.floats.size() + 2 * raw.doubles.size() + 4 * raw.ints32.size() +
                             raw.ints64.size() + 2 * raw.uints64.size();
  if (size > 0 && static_cast<std::int64_t>(values) < size / 2) {
    return Invalid(fmt::format("{} elements are asked for and not there", size));
  }
  return {};
}

Result<Tensor> FromTyped(const Raw& raw, DType dtype, std::int64_t size, std::int64_t bytes) {
  if (dtype == DType::kString) return FromStrings(raw);
  TRY(WantSomeData(raw, size));
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64:
      return FromList(raw, dtype, raw.floats, "float_data");
    case DType::kFloat64:
    case DType::kComplex128:
      return FromList(raw, dtype, raw.doubles, "double_data");
    case DType::kInt64:
      return FromList(raw, dtype, raw.ints64, "int64_data");
    case DType::kUint64:
      return FromList(raw, dtype, raw.uints64, "uint64_data");
    case DType::kUint32: {
      Tensor tensor = TRY(Tensor::Make(dtype, raw.dims));
      TRY(WantCount(raw.uints64.size(), tensor.size(), "uint64_data"));
      Narrowed<std::uint32_t>(raw.uints64, tensor);
      return tensor;
    }
    case DType::kUndefined:
    case DType::kString:
      return Invalid("no element type");
    case DType::kUint8:
    case DType::kInt8:
    case DType::kUint16:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kBool:
    case DType::kFloat16:
    case DType::kBfloat16:
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kUint4:
    case DType::kInt4:
    case DType::kFloat4E2M1:
    case DType::kFloat8E8M0:
    case DType::kUint2:
    case DType::kInt2:
    case DType::kFloat6E2M3:
    case DType::kFloat6E3M2:
      return FromInt32(raw, dtype, bytes);
  }
  return Invalid("no element type");
}

Result<std::int64_t> ParseNumber(std::string_view key, const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    return Invalid(fmt::format("external data has {} '{}', which is no size", key, text));
  }
  return number;
}

Result<Tensor> FromExternal(const Raw& raw, DType dtype, std::int64_t bytes, const Source& source) {
  std::string location;
  std::int64_t offset = 0, length = -1;
  for (const auto& [key, value] : raw.external) {
    if (key == "location") location = value;
    if (key == "offset") offset = TRY(ParseNumber(key, value));
    if (key == "length") length = TRY(ParseNumber(key, value));
  }
  if (location.empty()) return Invalid("external data without a location");
  if (dtype == DType::kString) return Invalid("strings cannot be external data");
  if (length >= 0 && length != bytes) {
    return Invalid(fmt::format("external data of {} bytes where {}{} has {}", length,
                               DTypeName(dtype), ShapeText(raw.dims), bytes));
  }
  if (!source.external) {
    return Invalid(
        fmt::format("its data is in the file '{}', and there is no folder to look in", location));
  }
  if (!IsSixBit(dtype)) return source.external(dtype, raw.dims, location, offset, bytes);
  const Tensor packed = TRY(source.external(DType::kUint8, {bytes}, location, offset, bytes));
  return FromSixBits(dtype, raw.dims, packed.raw_bytes());
}

Result<Tensor> ToTensor(const Raw& raw, const Source& source) {
  auto dtype = DTypeFromNumber(raw.data_type);
  if (!dtype) return Invalid(fmt::format("element type {} is not known", raw.data_type));
  if (raw.has_segment) return Invalid("segmented tensors are not allowed in a model");
  auto size = ElementCount(raw.dims);
  if (!size) return Invalid(size.error().message);
  const std::int64_t bits = DTypeBits(*dtype);
  if (*size > limits::kTensorBytes / std::max<std::int64_t>(1, bits / 8)) {
    return Invalid(fmt::format("{}{} is too large", DTypeName(*dtype), ShapeText(raw.dims)));
  }
  const std::int64_t width = IsSixBit(*dtype) ? 6 : bits;
  const std::int64_t bytes = width >= 8 ? *size * (width / 8) : (*size * width + 7) / 8;
  if (raw.data_location == 1) return FromExternal(raw, *dtype, bytes, source);
  if (raw.has_raw && *dtype != DType::kString) return FromRaw(raw, *dtype, bytes, source);
  return FromTyped(raw, *dtype, *size, bytes);
}

}  // namespace

Result<NamedTensor> ReadTensor(std::span<const std::byte> bytes, Source& source) {
  Raw raw = TRY(ReadRaw(bytes));
  auto tensor = ToTensor(raw, source);
  if (!tensor) {
    return Within(fmt::format("tensor '{}'", raw.name), std::move(tensor).error());
  }
  return NamedTensor{.name = std::move(raw.name), .tensor = *std::move(tensor)};
}

namespace {

Result<Tensor> ZeroTensor(DType dtype, Shape shape) {
  Tensor tensor = TRY(Tensor::Make(dtype, std::move(shape)));
  if (dtype != DType::kString) {
    std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
  }
  return tensor;
}

Result<std::int64_t> FlatIndex(std::span<const std::int64_t> index, const Shape& dims) {
  std::int64_t flat = 0;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (index[axis] < 0 || index[axis] >= dims[axis]) {
      return Invalid(fmt::format("sparse index {} is outside dimension {} of {}", index[axis], axis,
                                 ShapeText(dims)));
    }
    flat = flat * dims[axis] + index[axis];
  }
  return flat;
}

Result<Tensor> Densify(const Tensor& values, const Tensor& indices, const Shape& dims) {
  auto count = ElementCount(dims);
  if (!count) return Invalid(count.error().message);
  if (*count > kMaxSparseElements) {
    return Invalid(fmt::format("sparse tensor {} is too large", ShapeText(dims)));
  }
  const auto rank = static_cast<std::int64_t>(dims.size());
  const bool linear = indices.rank() == 1 && indices.size() == values.size();
  const bool coordinates =
      indices.rank() == 2 && indices.dim(0) == values.size() && indices.dim(1) == rank;
  if (values.rank() != 1 || (values.size() > 0 && indices.dtype() != DType::kInt64) ||
      (!linear && !coordinates && values.size() > 0)) {
    return Invalid(fmt::format("sparse values {} with indices {} in {}", ShapeText(values.shape()),
                               ShapeText(indices.shape()), ShapeText(dims)));
  }
  if (DTypeBits(values.dtype()) < 8) return Invalid("sparse tensors of packed elements");
  Tensor dense = TRY(ZeroTensor(values.dtype(), dims));
  const auto width = static_cast<std::size_t>(DTypeBits(values.dtype()) / 8);
  const auto at = indices.data<std::int64_t>();
  for (std::int64_t i = 0; i < values.size(); ++i) {
    std::int64_t flat = 0;
    if (linear) {
      flat = at[static_cast<std::size_t>(i)];
      if (flat < 0 || flat >= *count) return Invalid(fmt::format("sparse index {}", flat));
    } else {
      flat = TRY(FlatIndex(
          at.subspan(static_cast<std::size_t>(i * rank), static_cast<std::size_t>(rank)), dims));
    }
    const auto from = static_cast<std::size_t>(i);
    const auto to = static_cast<std::size_t>(flat);
    if (values.dtype() == DType::kString) {
      dense.data<std::string>()[to] = values.data<std::string>()[from];
    } else {
      std::memcpy(static_cast<std::byte*>(dense.raw()) + to * width,
                  static_cast<const std::byte*>(values.raw()) + from * width, width);
    }
  }
  return dense;
}

}  // namespace

Result<NamedTensor> ReadSparseTensor(std::span<const std::byte> bytes, Source& source) {
  WireReader reader(bytes);
  NamedTensor values, indices;
  Shape dims;
  while (reader.Next()) {
    if (reader.number() == 1) values = TRY(ReadTensor(reader.Bytes(), source));
    if (reader.number() == 2) indices = TRY(ReadTensor(reader.Bytes(), source));
    if (reader.number() == 3) reader.Ints(dims);
  }
  TRY(reader.status());
  if (values.tensor.dtype() == DType::kUndefined) return Invalid("a sparse tensor without values");
  auto dense = Densify(values.tensor, indices.tensor, dims);
  if (!dense) {
    return Within(fmt::format("sparse tensor '{}'", values.name), std::move(dense).error());
  }
  return NamedTensor{.name = std::move(values.name), .tensor = *std::move(dense)};
}

}  // namespace slipway::runtime::proto
