// SPDX-License-Identifier: Apache-2.0
// CausalConvWithState (opset 27).
// Spec: https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<bool> HasSilu(const NodeFacts& node) {
  const std::string_view activation = node.attributes.String("activation", "none");
  if (activation == "none") return false;
  if (activation == "silu" || activation == "swish") return true;
  return Invalid("attribute `activation` is `", activation, "`, not none, silu or swish");
}

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const Shape& w = node.shape(1);
  TRY(HasSilu(node));
  if (x.size() != 3 || w.size() != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1) {
    return Invalid("weights of ", w, " do not fit an input of ", x);
  }
  const Shape state{x[0], x[1], w[2] - 1};
  if (node.Has(2) && node.shape(2) != Shape{x[1]}) {
    return Invalid("a bias of ", node.shape(2), " for ", x[1], " channels");
  }
  if (node.Has(3) && node.shape(3) != state) {
    return Invalid("a state of ", node.shape(3), " where ", state, " is carried");
  }
  return OutputFacts(node, {TensorFacts(node.dtype(0), x), TensorFacts(node.dtype(0), state)});
}

/// One channel of one sample: what came before it, and itself.
template <class T>
struct Line {
  const T* past;
  const T* x;
  std::int64_t carried;

  /// Number `at` of the past values followed by the input; absent past ones are zeros.
  Compute<T> operator[](std::int64_t at) const {
    if (at >= carried) return static_cast<Compute<T>>(x[at - carried]);
    return past != nullptr ? static_cast<Compute<T>>(past[at]) : Compute<T>{0};
  }
};

template <class T>
T Output(const Line<T>& line, const T* w, Compute<T> bias, std::int64_t at, bool silu) {
  Compute<T> sum = 0;
  for (std::int64_t i = 0; i <= line.carried; ++i) {
    sum += line[at + i] * static_cast<Compute<T>>(w[i]);
  }
  const auto value = static_cast<Compute<T>>(static_cast<T>(sum + bias));
  return static_cast<T>(silu ? value / (1 + std::exp(-value)) : value);
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const bool silu = TRY(HasSilu(node));
  const Shape& x = node.shape(0);
  const std::int64_t carried = node.shape(1)[2] - 1;
  Tensor* present = Wanted(node, 1) ? &context.output(1) : nullptr;
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto data = [&](std::size_t i) -> const T* {
      return node.Has(i) ? context.input(i)->data<T>().data() : nullptr;
    };
    T* y = context.output(0).data<T>().data();
    context.ParallelFor(x[0] * x[1], 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t channel = i % x[1];
        const Line<T> line{node.Has(3) ? data(3) + i * carried : nullptr, data(0) + i * x[2],
                           carried};
        const auto bias = node.Has(2) ? static_cast<Compute<T>>(data(2)[channel]) : Compute<T>{0};
        for (std::int64_t at = 0; at < x[2]; ++at) {
          y[i * x[2] + at] = Output(line, data(1) + channel * (carried + 1), bias, at, silu);
        }
        for (std::int64_t at = 0; present != nullptr && at < carried; ++at) {
          present->data<T>()[At(i * carried + at)] = static_cast<T>(line[x[2] + at]);
        }
      }
    });
  });
}

constexpr Kernel kKernels[] = {{.name = "causal_conv", .run = Run}};
constexpr DTypeSet kFloats = kFloat32Type | Types({DType::kFloat16, DType::kBfloat16});

}  // namespace

OpList ops_causal_conv() {
  static constexpr OpDef kOps[] = {
      {.type = "CausalConvWithState",
       .since = 27,
       .signature = "input:T, weight:T, bias?:T, past_state?:T -> output:T, present_state:T",
       .types = kT<kFloats>,
       .attributes = "activation:string=none",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
