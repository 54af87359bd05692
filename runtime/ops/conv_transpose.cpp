// SPDX-License-Identifier: Apache-2.0
// ConvTranspose: opsets 1, 11, 22, over any number of spatial dimensions.
// Spec: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
#include "runtime/kernels/conv_transpose.h"

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const ConvShape shape = TRY(TransposeShapeOf(node));
  return Facts{
      TensorFacts(node.dtype(0), WithSpatial(shape.batch, shape.out_channels, shape.window.input))};
}

/// One output channel of one image: the sum over the channels of its group.
template <class T>
void Plane(const ConvShape& shape, const T* x, const T* w, double bias, Doubles& sums, T* y) {
  const std::int64_t in_size = shape.window.output_size();
  const std::int64_t kernel_size = shape.window.kernel_size();
  const std::int64_t group_in = shape.in_channels / shape.groups;
  const std::int64_t w_step = shape.out_channels / shape.groups * kernel_size;
  std::fill(sums.begin(), sums.end(), bias);
  std::vector<Tap> taps;
  Pause pause;
  for (std::int64_t at = 0; at < in_size; ++at) {
    shape.window.Taps(at, taps);
    if (pause.MustStop(group_in * static_cast<std::int64_t>(taps.size()))) return;
    for (std::int64_t c = 0; c < group_in; ++c) {
      const auto value = static_cast<double>(x[c * in_size + at]);
      for (const Tap& tap : taps) {
        sums[At(tap.input)] += value * static_cast<double>(w[c * w_step + tap.kernel]);
      }
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) y[i] = static_cast<T>(sums[i]);
}

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const ConvShape shape = TRY(TransposeShapeOf(node));
  const Tensor* b = node.Has(2) ? context.input(2) : nullptr;
  const std::int64_t group_in = shape.in_channels / shape.groups;
  const std::int64_t group_out = shape.out_channels / shape.groups;
  const std::int64_t in_size = shape.window.output_size();
  const std::int64_t out_size = shape.window.input_size();
  const std::int64_t kernel_size = shape.window.kernel_size();
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = context.input(0)->data<T>().data();
    const T* w = context.input(1)->data<T>().data();
    T* y = context.output(0).data<T>().data();
    context.ParallelFor(
        shape.batch * shape.out_channels, 1, [&](std::int64_t begin, std::int64_t end) {
          Doubles sums(At(out_size));
          for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t m = i % shape.out_channels;
            const std::int64_t group = m / group_out;
            const double bias = b == nullptr ? 0 : static_cast<double>(b->data<T>()[At(m)]);
            const std::int64_t first =
                i / shape.out_channels * shape.in_channels + group * group_in;
            Plane(shape, x + first * in_size,
                  w + (group * group_in * group_out + m % group_out) * kernel_size, bias, sums,
                  y + i * out_size);
          }
        });
  });
}

constexpr Kernel kKernels[] = {{.name = "conv_transpose_apart",
                                .declines = DeclineConvTransposeApart,
                                .prepare = PrepareConvTransposeApart},
                               {.name = "conv_transpose_columns",
                                .declines = DeclineConvTransposeColumns,
                                .prepare = PrepareConvTransposeColumns},
                               {.name = "conv_transpose_dnnl",
                                .declines = DeclineConvTransposeDnnl,
                                .prepare = PrepareConvTransposeDnnl},
                               {.name = "conv_transpose_dnnl_widened",
                                .declines = DeclineWidened<DeclineConvTransposeDnnl>,
                                .prepare = PrepareWidened<PrepareConvTransposeDnnl>},
                               {.name = "conv_transpose_reference", .run = RunReference}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "ConvTranspose",
          .since = since,
          .signature = "X:T, W:T, B?:T -> Y:T",
          .types = types,
          .attributes =
              "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, "
              "output_padding:ints, output_shape:ints, pads:ints, strides:ints",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_conv_transpose() {
  static constexpr auto kOps =
      Versions({Row(1, kT<kFloatTypes>), Row(11, kT<kFloatTypes>), Row(22, kT<kFloatTypesB>)});
  return kOps;
}

}  // namespace slipway::runtime
