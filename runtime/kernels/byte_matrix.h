// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "runtime/bounds.h"
#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/quantized_node.h"

/// Bytes as byte_dot_simd.h wants them: what has no signs gets none by 128 more, what is to have
/// signs gets them by 128 less, and so do the zero points.
namespace slipway::runtime {

using ByteNumbers = CountedVector<std::uint8_t>;

/// What turns bytes of that type into such without signs, or with: they differ in one bit.
std::uint8_t ToUnsigned(DType dtype);
std::uint8_t ToSigned(DType dtype);

/// How many quads that many bytes are, the last of them padded, and columns in whole vectors.
inline std::int64_t QuadsOf(std::int64_t depth) { return (depth + 3) / 4; }
inline std::int64_t PaddedColumns(std::int64_t columns) {
  return (columns + kByteDotPad - 1) / kByteDotPad * kByteDotPad;
}

inline const std::uint8_t* RawBytes(const Tensor& tensor) {
  return static_cast<const std::uint8_t*>(tensor.raw());
}

/// Why the second operand is none for RunByteDot; empty: it is.
std::string DeclineByteDot(const NodeFacts& node, const QuantizedPorts& ports);

/// The zero point of the first operand, whose bytes are without signs then.
std::int32_t UnsignedZero(const NodeFacts& node, const QuantizedPorts& ports,
                          KernelContext& context);

}  // namespace slipway::runtime
