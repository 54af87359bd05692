// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_matrix.h"

#include <algorithm>

namespace slipway::runtime {
namespace {

constexpr std::uint8_t kSign = 0x80;
constexpr std::int32_t kOffset = 128;

}  // namespace

std::uint8_t ToUnsigned(DType dtype) { return dtype == DType::kInt8 ? kSign : 0; }
std::uint8_t ToSigned(DType dtype) { return dtype == DType::kInt8 ? 0 : kSign; }

std::string DeclineByteDot(const NodeFacts& node, const QuantizedPorts& ports) {
  if (!HasByteDot()) return "the processor does not add four products of bytes at once";
  if (!IsConstant(node, ports)) return "the weights are not known";
  const std::int32_t middle = node.dtype(ports.b) == DType::kInt8 ? 0 : kOffset;
  const std::vector<std::int32_t> zeros = ConstantZeros(node, ports);
  const bool around = zeros.empty()
                          ? middle == 0
                          : std::ranges::all_of(zeros, [&](std::int32_t z) { return z == middle; });
  return around ? "" : "the weights are not around zero";
}

std::int32_t UnsignedZero(const NodeFacts& node, const QuantizedPorts& ports,
                          KernelContext& context) {
  return ZeroOf(node, context, ports.a_zero) + (node.dtype(0) == DType::kInt8 ? kOffset : 0);
}

}  // namespace slipway::runtime
