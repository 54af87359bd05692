// SPDX-License-Identifier: Apache-2.0
// Conv (opsets 1, 11, 22) over any number of spatial dimensions, and the fused `slipway.Conv`:
// activation(Conv(X, W, B) + Z), its channels shuffled where it says so, X and W rounded as
// `precision` lets them be.
// Spec: https://onnx.ai/onnx/operators/onnx__Conv.html
#include "runtime/kernels/conv.h"

#include "runtime/kernels/conv_rows.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  TRY(ConvActivationOf(node));
  const std::int64_t shuffle = node.attributes.Int("shuffle", 1);
  if (shuffle != 1 && shuffle != shape.groups) {
    return Invalid("attribute `shuffle` is ", shuffle, ", of ", shape.groups, " groups");
  }
  Shape out = WithSpatial(shape.batch, shape.out_channels, shape.window.output);
  if (node.Has(3) && node.shape(3) != out) {
    return Invalid("input `Z` has shape ", node.shape(3), ", the convolution gives ", out);
  }
  return Facts{TensorFacts(node.dtype(0), std::move(out))};
}

template <class T>
struct Operands {
  const T *x, *w, *b, *z;
  T* y;
};

struct Finish {
  ConvActivation activation;
  double alpha, beta;
  std::int64_t shuffle;  ///< groups of channels that are mixed; 1: none

  /// Where channel m goes.
  std::int64_t Place(std::int64_t m, std::int64_t channels) const {
    const std::int64_t group = channels / shuffle;
    return m % group * shuffle + m / group;
  }
};

/// All channels and images at one output position, whose window covers `taps`.
template <class T>
void Position(const ConvShape& shape, const Operands<T>& to, const Finish& finish,
              const std::vector<Tap>& taps, std::int64_t at) {
  const std::int64_t in_size = shape.window.input_size();
  const std::int64_t out_size = shape.window.output_size();
  const std::int64_t kernel_size = shape.window.kernel_size();
  const std::int64_t group_in = shape.in_channels / shape.groups;
  const std::int64_t group_out = shape.out_channels / shape.groups;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t m = 0; m < shape.out_channels; ++m) {
      const T* x = to.x + (n * shape.in_channels + m / group_out * group_in) * in_size;
      const T* w = to.w + m * group_in * kernel_size;
      double sum = to.b == nullptr ? 0 : static_cast<double>(to.b[m]);
      for (std::int64_t c = 0; c < group_in; ++c, x += in_size, w += kernel_size) {
        for (const Tap& tap : taps) {
          sum += static_cast<double>(x[tap.input]) * static_cast<double>(w[tap.kernel]);
        }
      }
      const std::int64_t place = finish.Place(m, shape.out_channels);
      const std::int64_t out = (n * shape.out_channels + place) * out_size + at;
      if (to.z != nullptr) sum += static_cast<double>(to.z[out]);
      to.y[out] = static_cast<T>(Activate(finish.activation, sum, finish.alpha, finish.beta));
    }
  }
}

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  const Finish finish{TRY(ConvActivationOf(node)), node.attributes.Float("activation_alpha", 0),
                      node.attributes.Float("activation_beta", 0),
                      node.attributes.Int("shuffle", 1)};
  if (context.output(0).size() == 0) return {};
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor* b = optional(2);
  const Tensor* z = optional(3);
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Operands<T> to{context.input(0)->data<T>().data(), context.input(1)->data<T>().data(),
                         b == nullptr ? nullptr : b->data<T>().data(),
                         z == nullptr ? nullptr : z->data<T>().data(),
                         context.output(0).data<T>().data()};
    context.ParallelFor(shape.window.output_size(), 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<Tap> taps;
      for (std::int64_t at = begin; at < end; ++at) {
        shape.window.Taps(at, taps);
        Position(shape, to, finish, taps, at);
      }
    });
  });
}

// What follows conv_dnnl serves in float32 where it was measured as quicker.
constexpr Kernel kKernels[] = {
    {.name = "conv_bf16", .declines = DeclineConvBf16, .prepare = PrepareConvLow},
    {.name = "conv_int8", .declines = DeclineConvInt8, .prepare = PrepareConvLow},
    {.name = "conv_grouped", .declines = DeclineConvGrouped, .prepare = PrepareConvGrouped},
    {.name = "conv_depthwise", .declines = DeclineConvDepthwise, .prepare = PrepareConvDepthwise},
    {.name = "conv_few", .declines = DeclineConvFew, .prepare = PrepareConvFew},
    {.name = "conv_rows", .declines = DeclineConvRows, .prepare = PrepareConvRows},
    {.name = "conv_winograd", .declines = DeclineConvWinograd, .prepare = PrepareConvWinograd},
    {.name = "conv_dnnl", .declines = DeclineConvDnnl, .prepare = PrepareConvDnnl},
    {.name = "conv_winograd",
     .declines = DeclineConvMeasuredWinograd,
     .prepare = PrepareConvWinograd},
    {.name = "conv_grouped", .declines = DeclineConvMeasuredGrouped, .prepare = PrepareConvGrouped},
    {.name = "conv_depthwise",
     .declines = DeclineConvMeasuredDepthwise,
     .prepare = PrepareConvDepthwise},
    {.name = "conv_product", .declines = DeclineConvProduct, .prepare = PrepareConvProduct},
    {.name = "conv_dnnl_widened",
     .declines = DeclineWidened<DeclineConvDnnl>,
     .prepare = PrepareWidened<PrepareConvDnnl>},
    {.name = "conv_reference", .run = RunReference}};

constexpr std::string_view kAttributes =
    "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, "
    "strides:ints";
constexpr std::string_view kFusedAttributes =
    "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, "
    "strides:ints, activation:string, activation_alpha:float, activation_beta:float, "
    "algorithm:string, precision:string, shuffle:int";

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Conv",
          .since = since,
          .signature = "X:T, W:T, B?:T -> Y:T",
          .types = types,
          .attributes = kAttributes,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_conv() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kFloatTypes>),
      Row(11, kT<kFloatTypes>),
      Row(22, kT<kFloatTypesB>),
      OpDef{.type = "Conv",
            .domain = "slipway",
            .since = 1,
            .signature = "X:T, W:T, B?:T, Z?:T -> Y:T",
            .types = kT<kFloatTypesB>,
            .attributes = kFusedAttributes,
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
