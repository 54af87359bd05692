// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/quantize.h"
#include "runtime/op.h"

/// What the operators of 8-bit matrices and convolutions share: MatMulInteger and ConvInteger, and
/// QLinearMatMul and QLinearConv, which scale the sums.
namespace slipway::runtime {

/// Which inputs are what; 0 where the operator has none.
struct QuantizedPorts {
  std::size_t a_zero, b, b_zero;
  std::size_t a_scale, b_scale, y_scale, y_zero, bias;
  bool scaled() const { return y_scale != 0; }
};
inline constexpr QuantizedPorts kIntegerPorts = {.a_zero = 2,
                                                 .b = 1,
                                                 .b_zero = 3,
                                                 .a_scale = 0,
                                                 .b_scale = 0,
                                                 .y_scale = 0,
                                                 .y_zero = 0,
                                                 .bias = 0};
inline constexpr QuantizedPorts kQLinearPorts = {.a_zero = 2,
                                                 .b = 3,
                                                 .b_zero = 5,
                                                 .a_scale = 1,
                                                 .b_scale = 4,
                                                 .y_scale = 6,
                                                 .y_zero = 7,
                                                 .bias = 8};

/// Why an operator whose second operand is one matrix or goes matrix by matrix with the first, or
/// which is a convolution, is not for exact sums in 32 bits with one parameter for the whole of the
/// first operand and of the output, one for each column of the second or for all. Empty: it is.
std::string DeclineByteMatMul(const NodeFacts& node, const QuantizedPorts& ports);
std::string DeclineByteConv(const NodeFacts& node, const QuantizedPorts& ports);

/// The node as the Conv it is at heart, without a bias.
NodeFacts AsConv(const NodeFacts& node, const QuantizedPorts& ports);

/// Whether the second operand and its zero points are known when planning.
bool IsConstant(const NodeFacts& node, const QuantizedPorts& ports);
/// The zero points of the second operand, as they are known then or come with a run; none: 0.
std::vector<std::int32_t> ConstantZeros(const NodeFacts& node, const QuantizedPorts& ports);
std::vector<std::int32_t> ZerosOfRun(const NodeFacts& node, const QuantizedPorts& ports,
                                     KernelContext& context);
/// A zero point that is one number.
std::int32_t ZeroOf(const NodeFacts& node, KernelContext& context, std::size_t input);
/// The bias of a convolution with so many channels of output; 0 for each where it has none.
std::vector<std::int64_t> BiasOf(const NodeFacts& node, const QuantizedPorts& ports,
                                 KernelContext& context, std::int64_t channels);

/// How sums become elements of the output.
class SumScaling {
 public:
  /// Of `width` columns, or channels.
  static Result<SumScaling> Make(const NodeFacts& node, const QuantizedPorts& ports,
                                 KernelContext& context, std::int64_t width);
  double operator()(std::int64_t column, std::int64_t sum) const {
    return QuantizeOne(static_cast<double>(sum) * scales_[static_cast<std::size_t>(column)], zero_,
                       range_);
  }
  const std::vector<double>& scales() const { return scales_; }
  double zero() const { return zero_; }
  const IntegerRange& range() const { return range_; }

 private:
  std::vector<double> scales_ = {};
  double zero_ = 0;
  IntegerRange range_ = {};
};

}  // namespace slipway::runtime
