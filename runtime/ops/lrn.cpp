// SPDX-License-Identifier: Apache-2.0
// LRN: opsets 1, 13. Spec: https://onnx.ai/onnx/operators/onnx__LRN.html
#include "runtime/kernels/lrn.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  if (node.shape(0).size() < 2) return Invalid("input of ", node.shape(0), " has no channels");
  const std::int64_t size = node.attributes.Int("size", 0);
  if (size < 1) return Invalid("attribute `size` is ", size);
  return InferSame(node);
}

struct Parameters {
  double alpha, beta, bias;
  std::int64_t size;
};

/// One spatial position of one image: channels lie `step` apart.
template <class T>
void Column(const T* x, T* y, std::int64_t channels, std::int64_t step, const Parameters& p) {
  const std::int64_t before = (p.size - 1) / 2;
  const std::int64_t after = p.size - 1 - before;
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    const std::int64_t last = std::min(channels - 1, c + after);
    for (std::int64_t k = std::max<std::int64_t>(0, c - before); k <= last; ++k) {
      const auto value = static_cast<double>(x[k * step]);
      sum += value * value;
    }
    const double scale = p.bias + p.alpha / static_cast<double>(p.size) * sum;
    y[c * step] = static_cast<T>(static_cast<double>(x[c * step]) / std::pow(scale, p.beta));
  }
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Parameters p{node.attributes.Float("alpha", 1e-4F), node.attributes.Float("beta", 0.75F),
                     node.attributes.Float("bias", 1),
                     std::min(node.attributes.Int("size", 1), std::int64_t{1} << 40)};
  if (x.size() == 0) return {};
  const std::int64_t channels = x.dim(1);
  const std::int64_t inner = CountOf(x.shape(), 2, x.shape().size());
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = context.output(0).data<T>().data();
    context.ParallelFor(x.dim(0) * inner, 64, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at = i / inner * channels * inner + i % inner;
        Column(in + at, out + at, channels, inner, p);
      }
    });
  });
}

constexpr Kernel kKernels[] = {
    {.name = "lrn_dnnl", .declines = DeclineLrnDnnl, .prepare = PrepareLrnDnnl},
    {.name = "lrn_dnnl_widened",
     .declines = DeclineWidened<DeclineLrnDnnl>,
     .prepare = PrepareWidened<PrepareLrnDnnl>},
    {.name = "lrn_reference", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "LRN",
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .attributes = "alpha:float=0.0001, beta:float=0.75, bias:float=1.0, size!:int",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_lrn() {
  static constexpr auto kOps = Versions({Row(1, kT<kFloatTypes>), Row(13, kT<kFloatTypesB>)});
  return kOps;
}

}  // namespace slipway::runtime
