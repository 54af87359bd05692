// SPDX-License-Identifier: Apache-2.0
#include "runtime/tools/element.h"

#include <fmt/format.h>

#include <complex>
#include <limits>

#include "runtime/kernels/float16.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/minifloat.h"

namespace slipway::runtime {
namespace {

/// The bits of a packed element.
unsigned PackedAt(const Tensor& tensor, std::int64_t index) {
  const auto bits = static_cast<unsigned>(DTypeBits(tensor.dtype()));
  const unsigned per_byte = 8 / bits;
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.raw());
  const unsigned shift = static_cast<unsigned>(At(index) % per_byte) * bits;
  return bytes[At(index) / per_byte] >> shift & ((1U << bits) - 1);
}

void SetPacked(Tensor& tensor, std::int64_t index, unsigned value) {
  const auto bits = static_cast<unsigned>(DTypeBits(tensor.dtype()));
  const unsigned per_byte = 8 / bits;
  auto& byte = static_cast<std::uint8_t*>(tensor.raw())[At(index) / per_byte];
  const unsigned shift = static_cast<unsigned>(At(index) % per_byte) * bits;
  const unsigned mask = ((1U << bits) - 1) << shift;
  byte = static_cast<std::uint8_t>((byte & ~mask) | (value << shift & mask));
}

std::int64_t SignExtended(unsigned value, unsigned bits) {
  const unsigned sign = 1U << (bits - 1);
  return static_cast<std::int64_t>(value ^ sign) - static_cast<std::int64_t>(sign);
}

template <class T>
Result<void> SetWhole(Tensor& tensor, std::int64_t index, std::int64_t value) {
  if (!std::in_range<T>(value)) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("{} is out of the range of {}", value, DTypeName(tensor.dtype()))};
  }
  tensor.data<T>()[At(index)] = static_cast<T>(value);
  return {};
}

Result<void> SetPackedInt(Tensor& tensor, std::int64_t index, std::int64_t value) {
  const int bits = DTypeBits(tensor.dtype());
  const bool is_unsigned = IsUnsigned(tensor.dtype());
  const std::int64_t low = is_unsigned ? 0 : -(std::int64_t{1} << (bits - 1));
  const std::int64_t high = (std::int64_t{1} << (is_unsigned ? bits : bits - 1)) - 1;
  if (value < low || value > high) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("{} is out of the range of {}", value, DTypeName(tensor.dtype()))};
  }
  SetPacked(tensor, index, static_cast<unsigned>(value));
  return {};
}

}  // namespace

bool IsFloating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBfloat16 || IsMiniFloat(dtype);
}

bool IsComplex(DType dtype) { return dtype == DType::kComplex64 || dtype == DType::kComplex128; }

bool IsUnsigned(DType dtype) {
  return dtype == DType::kUint8 || dtype == DType::kUint16 || dtype == DType::kUint32 ||
         dtype == DType::kUint64 || dtype == DType::kUint4 || dtype == DType::kUint2;
}

bool IsInteger(DType dtype) {
  return IsUnsigned(dtype) || dtype == DType::kInt8 || dtype == DType::kInt16 ||
         dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kInt4 ||
         dtype == DType::kInt2;
}

double FloatAt(const Tensor& tensor, std::int64_t index) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kFloat32) return static_cast<double>(tensor.data<float>()[At(index)]);
  if (dtype == DType::kFloat64) return tensor.data<double>()[At(index)];
  if (dtype == DType::kFloat16) {
    const auto half = Float16::FromBits(tensor.data<std::uint16_t>()[At(index)]);
    return static_cast<double>(static_cast<float>(half));
  }
  if (dtype == DType::kBfloat16) {
    const auto half = BFloat16::FromBits(tensor.data<std::uint16_t>()[At(index)]);
    return static_cast<double>(static_cast<float>(half));
  }
  const unsigned bits =
      DTypeBits(dtype) < 8 ? PackedAt(tensor, index) : tensor.data<std::uint8_t>()[At(index)];
  return static_cast<double>(DecodeMini(dtype, static_cast<std::uint8_t>(bits)));
}

std::pair<double, double> ComplexAt(const Tensor& tensor, std::int64_t index) {
  if (tensor.dtype() == DType::kComplex64) {
    const auto value = tensor.data<std::complex<float>>()[At(index)];
    return {static_cast<double>(value.real()), static_cast<double>(value.imag())};
  }
  const auto value = tensor.data<std::complex<double>>()[At(index)];
  return {value.real(), value.imag()};
}

std::int64_t IntAt(const Tensor& tensor, std::int64_t index) {
  const std::size_t at = At(index);
  const auto bits = static_cast<unsigned>(DTypeBits(tensor.dtype()));
  if (bits < 8) {
    const unsigned value = PackedAt(tensor, index);
    return IsUnsigned(tensor.dtype()) ? static_cast<std::int64_t>(value)
                                      : SignExtended(value, bits);
  }
  const bool is_unsigned = IsUnsigned(tensor.dtype()) || tensor.dtype() == DType::kBool;
  switch (bits) {
    case 8:
      return is_unsigned ? std::int64_t{tensor.data<std::uint8_t>()[at]}
                         : std::int64_t{tensor.data<std::int8_t>()[at]};
    case 16:
      return is_unsigned ? std::int64_t{tensor.data<std::uint16_t>()[at]}
                         : std::int64_t{tensor.data<std::int16_t>()[at]};
    case 32:
      return is_unsigned ? std::int64_t{tensor.data<std::uint32_t>()[at]}
                         : std::int64_t{tensor.data<std::int32_t>()[at]};
    default:
      return tensor.data<std::int64_t>()[at];
  }
}

void SetFloat(Tensor& tensor, std::int64_t index, double value) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kFloat32) {
    tensor.data<float>()[At(index)] = static_cast<float>(value);
  } else if (dtype == DType::kFloat64) {
    tensor.data<double>()[At(index)] = value;
  } else if (dtype == DType::kFloat16) {
    tensor.data<std::uint16_t>()[At(index)] = Float16(value).bits;
  } else if (dtype == DType::kBfloat16) {
    tensor.data<std::uint16_t>()[At(index)] = BFloat16(value).bits;
  } else {
    const std::uint8_t bits = EncodeMini(dtype, RoundToOdd(value));
    if (DTypeBits(dtype) < 8) {
      SetPacked(tensor, index, bits);
    } else {
      tensor.data<std::uint8_t>()[At(index)] = bits;
    }
  }
}

Result<void> SetInt(Tensor& tensor, std::int64_t index, std::int64_t value) {
  const int bits = DTypeBits(tensor.dtype());
  if (bits < 8) return SetPackedInt(tensor, index, value);
  const bool is_unsigned = IsUnsigned(tensor.dtype());
  switch (bits) {
    case 8:
      return is_unsigned ? SetWhole<std::uint8_t>(tensor, index, value)
                         : SetWhole<std::int8_t>(tensor, index, value);
    case 16:
      return is_unsigned ? SetWhole<std::uint16_t>(tensor, index, value)
                         : SetWhole<std::int16_t>(tensor, index, value);
    case 32:
      return is_unsigned ? SetWhole<std::uint32_t>(tensor, index, value)
                         : SetWhole<std::int32_t>(tensor, index, value);
    default:
      return is_unsigned ? SetWhole<std::uint64_t>(tensor, index, value)
                         : SetWhole<std::int64_t>(tensor, index, value);
  }
}

}  // namespace slipway::runtime
