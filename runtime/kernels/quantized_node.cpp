// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantized_node.h"

#include <algorithm>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_packed.h"

namespace slipway::runtime {
namespace {

/// Terms whose sum surely fits 32 bits.
constexpr std::int64_t kMostTerms = INT32_MAX / (255 * 255);

std::int64_t SizeOf(const NodeFacts& node, std::size_t input) {
  return node.Has(input) ? CountOf(node.shape(input), 0, node.shape(input).size()) : 1;
}

/// One parameter for the whole of the first operand and of the output, one for each of `width`
/// columns of the second or for all.
std::string DeclineParameters(const NodeFacts& node, const QuantizedPorts& ports,
                              std::int64_t width) {
  for (const std::size_t input : {ports.a_zero, ports.a_scale, ports.y_scale, ports.y_zero}) {
    if (input != 0 && SizeOf(node, input) != 1)
      return Message("input ", input, " is not one number");
  }
  for (const std::size_t input : {ports.b_zero, ports.b_scale}) {
    if (input == 0 || !node.Has(input) || SizeOf(node, input) == 1) continue;
    if (node.shape(input) != Shape{width}) return Message("input ", input, " is no row");
  }
  for (const std::size_t input : {ports.b, ports.y_zero}) {
    if (input != 0 && !IsByte(node.dtype(input))) return "elements are not of 8 bits";
  }
  return IsByte(node.dtype(0)) ? "" : "elements are not of 8 bits";
}

}  // namespace

Result<SumScaling> SumScaling::Make(const NodeFacts& node, const QuantizedPorts& ports,
                                    KernelContext& context, std::int64_t width) {
  const auto numbers = [&](std::size_t input) -> Result<std::vector<double>> {
    const Tensor wide = TRY(Converted(context, *context.input(input), DType::kFloat64));
    const auto values = wide.data<double>();
    return std::vector<double>(values.begin(), values.end());
  };
  SumScaling scaling;
  scaling.range_ = RangeOfInteger(node.dtype(ports.y_zero));
  scaling.zero_ = TRY(numbers(ports.y_zero))[0];
  const double a = TRY(numbers(ports.a_scale))[0];
  const double y = TRY(numbers(ports.y_scale))[0];
  const std::vector<double> b = TRY(numbers(ports.b_scale));
  for (std::int64_t j = 0; j < width; ++j) {
    scaling.scales_.push_back(a * b[b.size() == 1 ? 0 : At(j)] / y);
  }
  return scaling;
}
std::string DeclineByteMatMul(const NodeFacts& node, const QuantizedPorts& ports) {
  const Shape &a = node.shape(0), &b = node.shape(ports.b);
  if (b.size() < 2 || a.empty()) return "B is no matrix";
  if (b.size() > 2 && (a.size() != b.size() || !std::equal(b.begin(), b.end() - 2, a.begin()))) {
    return "A and B are not stacks of as many matrices";
  }
  if (SizeOf(node, 0) == 0 || SizeOf(node, ports.b) == 0) return "nothing to multiply";
  if (ports.scaled() && b[b.size() - 2] > kMostTerms) return "sums may not fit 32 bits";
  return DeclineParameters(node, ports, b.back());
}

NodeFacts AsConv(const NodeFacts& node, const QuantizedPorts& ports) {
  NodeFacts conv = node;
  conv.inputs = {node.inputs[0], node.inputs[ports.b]};
  conv.present = {true, true};
  return conv;
}

std::string DeclineByteConv(const NodeFacts& node, const QuantizedPorts& ports) {
  const auto shape = ConvShapeOf(AsConv(node, ports));
  if (!shape) return shape.error().message;
  const std::int64_t terms = shape->in_channels / shape->groups * shape->window.kernel_size();
  if (terms == 0 || shape->batch * shape->out_channels * shape->window.output_size() == 0) {
    return "nothing to multiply";
  }
  if (ports.scaled() && terms > kMostTerms) return "sums may not fit 32 bits";
  return DeclineParameters(node, ports, shape->out_channels);
}

std::int32_t ZeroOf(const NodeFacts& node, KernelContext& context, std::size_t input) {
  return node.Has(input) ? BytesOf(context.input(input))[0] : 0;
}

bool IsConstant(const NodeFacts& node, const QuantizedPorts& ports) {
  return node.inputs[ports.b].constant != nullptr &&
         (!node.Has(ports.b_zero) || node.inputs[ports.b_zero].constant != nullptr);
}

std::vector<std::int32_t> ConstantZeros(const NodeFacts& node, const QuantizedPorts& ports) {
  return node.Has(ports.b_zero) ? BytesOf(node.inputs[ports.b_zero].constant)
                                : std::vector<std::int32_t>();
}

std::vector<std::int32_t> ZerosOfRun(const NodeFacts& node, const QuantizedPorts& ports,
                                     KernelContext& context) {
  return node.Has(ports.b_zero) ? BytesOf(context.input(ports.b_zero))
                                : std::vector<std::int32_t>();
}

std::vector<std::int64_t> BiasOf(const NodeFacts& node, const QuantizedPorts& ports,
                                 KernelContext& context, std::int64_t channels) {
  if (ports.bias != 0 && node.Has(ports.bias)) return IntsOf(context.input(ports.bias));
  return std::vector<std::int64_t>(At(channels), 0);
}

}  // namespace slipway::runtime
