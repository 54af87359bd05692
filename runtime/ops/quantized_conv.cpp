// SPDX-License-Identifier: Apache-2.0
// ConvInteger, QLinearConv (opset 10).
// Spec: https://onnx.ai/onnx/operators/onnx__ConvInteger.html, onnx__QLinearConv.html
#include "runtime/kernels/conv.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/quantized_product.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// The node as the Conv it is at heart: inputs X, W and, where `bias` is not 0, B.
NodeFacts AsConv(const NodeFacts& node, std::size_t weights, std::size_t bias) {
  NodeFacts conv = node;
  conv.inputs = {node.inputs[0], node.inputs[weights]};
  conv.present = {true, true};
  if (bias != 0 && node.Has(bias)) {
    conv.inputs.push_back(node.inputs[bias]);
    conv.present.push_back(true);
  }
  return conv;
}

/// One number, or one for each of `channels`.
Result<std::vector<double>> Parameter(KernelContext& context, const Tensor* tensor,
                                      std::int64_t channels, double fallback) {
  if (tensor == nullptr) return std::vector<double>(At(channels), fallback);
  const Tensor wide = TRY(Converted(context, *tensor, DType::kFloat64));
  const auto values = wide.data<double>();
  if (wide.size() == 1) return std::vector<double>(At(channels), values[0]);
  if (wide.size() == channels) return std::vector<double>(values.begin(), values.end());
  return Invalid("a parameter of ", wide.shape(), " is not one for each of ", channels,
                 " channels");
}

struct Parameters {
  double x_zero = 0;
  std::vector<double> w_zero, bias;
};

/// Sums of (x - x_zero) * (w - w_zero) with the bias, exact.
Result<Tensor> Sums(KernelContext& context, const ConvShape& shape, const Tensor& x,
                    const Tensor& w, const Parameters& parameters) {
  const Tensor wide_x = TRY(Converted(context, x, DType::kFloat64));
  const Tensor wide_w = TRY(Converted(context, w, DType::kFloat64));
  Tensor sums = TRY(Tensor::Make(
      DType::kFloat64, WithSpatial(shape.batch, shape.out_channels, shape.window.output)));
  if (sums.size() == 0) return sums;
  const std::int64_t in_size = shape.window.input_size();
  const std::int64_t out_size = shape.window.output_size();
  const std::int64_t kernel_size = shape.window.kernel_size();
  const std::int64_t group_in = shape.in_channels / shape.groups;
  const std::int64_t group_out = shape.out_channels / shape.groups;
  double* out = sums.data<double>().data();
  context.ParallelFor(out_size, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Tap> taps;
    for (std::int64_t at = begin; at < end; ++at) {
      shape.window.Taps(at, taps);
      for (std::int64_t plane = 0; plane < shape.batch * shape.out_channels; ++plane) {
        const std::int64_t m = plane % shape.out_channels;
        const std::int64_t first =
            plane / shape.out_channels * shape.in_channels + m / group_out * group_in;
        const double* from = wide_x.data<double>().data() + first * in_size;
        const double* weights = wide_w.data<double>().data() + m * group_in * kernel_size;
        double sum = parameters.bias[At(m)];
        for (std::int64_t c = 0; c < group_in; ++c) {
          for (const Tap& tap : taps) {
            sum += (from[c * in_size + tap.input] - parameters.x_zero) *
                   (weights[c * kernel_size + tap.kernel] - parameters.w_zero[At(m)]);
          }
        }
        out[plane * out_size + at] = sum;
      }
    }
  });
  return sums;
}

Result<Facts> InferInteger(const NodeFacts& node) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, 1, 0)));
  return Facts{TensorFacts(DType::kInt32,
                           WithSpatial(shape.batch, shape.out_channels, shape.window.output))};
}

Result<void> RunInteger(const NodeFacts& node, KernelContext& context) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, 1, 0)));
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  Parameters parameters;
  parameters.x_zero = TRY(Parameter(context, optional(2), 1, 0))[0];
  parameters.w_zero = TRY(Parameter(context, optional(3), shape.out_channels, 0));
  parameters.bias.assign(At(shape.out_channels), 0);
  const Tensor sums = TRY(Sums(context, shape, *context.input(0), *context.input(1), parameters));
  return ConvertElements(context, sums, context.output(0));
}

Result<Facts> InferQLinear(const NodeFacts& node) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, 3, 8)));
  return Facts{TensorFacts(node.dtype(7),
                           WithSpatial(shape.batch, shape.out_channels, shape.window.output))};
}

Result<void> RunQLinear(const NodeFacts& node, KernelContext& context) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, 3, 8)));
  const std::int64_t channels = shape.out_channels;
  Parameters parameters;
  parameters.x_zero = TRY(Parameter(context, context.input(2), 1, 0))[0];
  parameters.w_zero = TRY(Parameter(context, context.input(5), channels, 0));
  parameters.bias = TRY(Parameter(context, node.Has(8) ? context.input(8) : nullptr, channels, 0));
  const double x_scale = TRY(Parameter(context, context.input(1), 1, 1))[0];
  const std::vector<double> w_scale = TRY(Parameter(context, context.input(4), channels, 1));
  const double y_scale = TRY(Parameter(context, context.input(6), 1, 1))[0];
  const double y_zero = TRY(Parameter(context, context.input(7), 1, 0))[0];
  Tensor sums = TRY(Sums(context, shape, *context.input(0), *context.input(3), parameters));
  const IntegerRange range = RangeOfInteger(node.dtype(7));
  const std::int64_t size = shape.window.output_size();
  auto out = sums.data<double>();
  for (std::int64_t i = 0; i < sums.size(); ++i) {
    const double scale = x_scale * w_scale[At(i / size % channels)] / y_scale;
    out[At(i)] = QuantizeOne(out[At(i)] * scale, y_zero, range);
  }
  return ConvertElements(context, sums, context.output(0));
}

constexpr Kernel kInteger[] = {
    {.name = "conv_integer_depthwise",
     .declines = DeclineConvIntegerDepthwise,
     .prepare = PrepareConvIntegerDepthwise},
    {.name = "conv_integer_dot",
     .declines = DeclineConvIntegerDot,
     .prepare = PrepareConvIntegerDot},
    {.name = "conv_integer_packed", .declines = DeclineConvInteger, .prepare = PrepareConvInteger},
    {.name = "conv_integer_reference", .run = RunInteger}};
constexpr Kernel kQLinear[] = {
    {.name = "qlinear_conv_small",
     .declines = DeclineQLinearConvSmall,
     .prepare = PrepareQLinearConvSmall},
    {.name = "qlinear_conv_lines",
     .declines = DeclineQLinearConvLines,
     .prepare = PrepareQLinearConvLines},
    {.name = "qlinear_conv_depthwise",
     .declines = DeclineQLinearConvDepthwise,
     .prepare = PrepareQLinearConvDepthwise},
    {.name = "qlinear_conv_dot",
     .declines = DeclineQLinearConvDot,
     .prepare = PrepareQLinearConvDot},
    {.name = "qlinear_conv_packed", .declines = DeclineQLinearConv, .prepare = PrepareQLinearConv},
    {.name = "qlinear_conv_reference", .run = RunQLinear}};

constexpr std::string_view kAttributes =
    "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, "
    "strides:ints";
constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr DTypeSet kInt32Type = Types({DType::kInt32});
constexpr TypeRule kQLinearTypes[] = {
    {"T1", kBytes}, {"T2", kBytes}, {"T3", kBytes}, {"T4", kInt32Type}};

}  // namespace

OpList ops_quantized_conv() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "ConvInteger",
            .since = 10,
            .signature = "x:T1, w:T2, x_zero_point?:T1, w_zero_point?:T2 -> y:T3",
            .types = kT1T2T3<kBytes, kBytes, kInt32Type>,
            .attributes = kAttributes,
            .infer = InferInteger,
            .kernels = kInteger},
      OpDef{.type = "QLinearConv",
            .since = 10,
            .signature = "x:T1, x_scale:float, x_zero_point:T1, w:T2, w_scale:float, "
                         "w_zero_point:T2, y_scale:float, y_zero_point:T3, B?:T4 -> y:T3",
            .types = kQLinearTypes,
            .attributes = kAttributes,
            .infer = InferQLinear,
            .kernels = kQLinear},
  });
  return kOps;
}

}  // namespace slipway::runtime
