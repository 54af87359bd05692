// SPDX-License-Identifier: Apache-2.0
// BatchNormalization: opsets 1, 6, 7 (`spatial`), 9, 14 (`training_mode`), 15.
// Spec: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
// Before opset 14 it always infers, whatever `is_test` says, and gives output Y alone.
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

bool IsTraining(const NodeFacts& node) {
  return node.op->since >= 14 && node.attributes.Int("training_mode", 0) != 0;
}

bool IsSpatial(const NodeFacts& node) { return node.attributes.Int("spatial", 1) != 0; }

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::size_t rank = x.size();
  const Shape channels{rank >= 2 ? x[1] : 1};
  const Shape each(rank >= 2 ? x.begin() + 1 : x.end(), x.end());
  const Shape& want = IsSpatial(node) ? channels : each;
  if (rank == 0) return Invalid("input must not be a scalar");
  for (std::size_t i = 1; i < 5; ++i) {
    if (node.shape(i) != want) {
      return Invalid("input ", i, " of ", node.shape(i), " is not ", want, " for X of ", x);
    }
  }
  for (std::size_t i = 1; i < node.outputs_wanted.size(); ++i) {
    if (node.outputs_wanted[i] && !IsTraining(node)) {
      return Invalid("output ", i, " is wanted, which is made in training alone");
    }
  }
  return OutputFacts(node, {TensorFacts(node.dtype(0), x), TensorFacts(node.dtype(3), want),
                            TensorFacts(node.dtype(4), want), TensorFacts(node.dtype(3), want),
                            TensorFacts(node.dtype(4), want)});
}

/// y = x * scale + shift, row by row: each element of a row is another channel's.
template <class T>
void ApplyRows(KernelContext& context, const Tensor& x, const std::vector<double>& scale,
               const std::vector<double>& shift) {
  using C = Compute<T>;
  const T* in = x.data<T>().data();
  T* out = context.output(0).data<T>().data();
  std::vector<C> a, b;
  for (const double factor : scale) a.push_back(static_cast<C>(factor));
  for (const double addend : shift) b.push_back(static_cast<C>(addend));
  const auto channels = static_cast<std::int64_t>(scale.size());
  const std::int64_t rows = channels == 0 ? 0 : x.size() / channels;
  const std::int64_t grain =
      std::max<std::int64_t>(1, (16 << 10) / std::max<std::int64_t>(channels, 1));
  context.ParallelFor(rows, grain, [&, in, out](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* from = in + row * channels;
      T* to = out + row * channels;
      for (std::size_t c = 0; c < a.size(); ++c) {
        to[c] = static_cast<T>(static_cast<C>(from[c]) * a[c] + b[c]);
      }
    }
  });
}

/// The same, channel by channel.
template <class T>
void Apply(KernelContext& context, const Tensor& x, const std::vector<double>& scale,
           const std::vector<double>& shift, std::int64_t inner) {
  const T* in = x.data<T>().data();
  T* out = context.output(0).data<T>().data();
  const auto channels = static_cast<std::int64_t>(scale.size());
  const std::int64_t planes = inner == 0 ? 0 : x.size() / inner;
  const std::int64_t grain =
      std::max<std::int64_t>(1, (16 << 10) / std::max<std::int64_t>(inner, 1));
  using C = Compute<T>;
  context.ParallelFor(planes, grain, [&, in, out](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const auto a = static_cast<C>(scale[At(plane % channels)]);
      const auto b = static_cast<C>(shift[At(plane % channels)]);
      for (std::int64_t i = plane * inner; i < (plane + 1) * inner; ++i) {
        out[i] = static_cast<T>(static_cast<C>(in[i]) * a + b);
      }
    }
  });
}

Result<std::vector<double>> Doubles(const Tensor& tensor) {
  std::vector<double> values;
  TRY(Dispatch(FloatList{}, tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (const T& x : tensor.data<T>()) values.push_back(static_cast<double>(x));
  }));
  return values;
}

Result<void> StoreDoubles(const std::vector<double>& values, Tensor& tensor) {
  return Dispatch(FloatList{}, tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto out = tensor.data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<T>(values[i]);
  });
}

/// Mean and population variance of each channel.
template <class T>
void Statistics(const Tensor& x, std::int64_t channels, std::int64_t inner,
                std::vector<double>& mean, std::vector<double>& variance) {
  const T* in = x.data<T>().data();
  const std::int64_t batch = channels * inner == 0 ? 0 : x.size() / (channels * inner);
  const auto count = static_cast<double>(batch * inner);
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    double squares = 0;
    for (const bool first : {true, false}) {
      const double center = first ? 0 : sum / count;
      for (std::int64_t n = 0; n < batch; ++n) {
        const T* plane = in + (n * channels + c) * inner;
        for (std::int64_t i = 0; i < inner; ++i) {
          const double value = static_cast<double>(plane[i]) - center;
          if (first) {
            sum += value;
          } else {
            squares += value * value;
          }
        }
      }
    }
    mean[At(c)] = sum / count;
    variance[At(c)] = squares / count;
  }
}

Result<void> StoreRunning(const NodeFacts& node, KernelContext& context, std::size_t output,
                          const std::vector<double>& current) {
  if (!Wanted(node, output)) return {};
  const double momentum = node.attributes.Float("momentum", 0.9F);
  std::vector<double> running = TRY(Doubles(*context.input(output + 2)));
  for (std::size_t c = 0; c < running.size(); ++c) {
    running[c] = running[c] * momentum + current[c] * (1 - momentum);
  }
  return StoreDoubles(running, context.output(output));
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  std::vector<double> scale = TRY(Doubles(*context.input(1)));
  std::vector<double> shift = TRY(Doubles(*context.input(2)));
  std::vector<double> mean = TRY(Doubles(*context.input(3)));
  std::vector<double> variance = TRY(Doubles(*context.input(4)));
  const std::int64_t inner =
      IsSpatial(node) && x.rank() > 2 ? CountOf(x.shape(), 2, x.shape().size()) : 1;
  if (IsTraining(node)) {
    const auto channels = static_cast<std::int64_t>(mean.size());
    TRY(Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
      Statistics<typename decltype(tag)::type>(x, channels, inner, mean, variance);
    }));
    TRY(StoreRunning(node, context, 1, mean));
    TRY(StoreRunning(node, context, 2, variance));
  }
  const double epsilon = node.attributes.Float("epsilon", 1e-5F);
  for (std::size_t c = 0; c < scale.size(); ++c) {
    scale[c] /= std::sqrt(variance[c] + epsilon);
    shift[c] -= mean[c] * scale[c];
  }
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (inner == 1) return ApplyRows<T>(context, x, scale, shift);
    Apply<T>(context, x, scale, shift, inner);
  });
}

constexpr Kernel kKernels[] = {{.name = "batch_normalization", .run = Run}};

constexpr std::string_view kLegacySignature =
    "X:T, scale:T, B:T, mean:T, var:T -> Y:T, mean?:T, var?:T, saved_mean?:T, saved_var?:T";

consteval OpDef Row(int since, std::string_view signature, std::span<const TypeRule> types,
                    std::string_view attributes) {
  return {.type = "BatchNormalization",
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

constexpr TypeRule kTypes14[] = {{"T", kFloatTypesB}, {"U", kFloatTypesB}};
constexpr TypeRule kTypes15[] = {{"T", kFloatTypesB}, {"T1", kFloatTypesB}, {"T2", kFloatTypesB}};

}  // namespace

OpList ops_batch_normalization() {
  static constexpr auto kOps = Versions({
      Row(1, kLegacySignature, kT<kFloatTypes>,
          "consumed_inputs!:ints, epsilon:float=1e-5, is_test:int=0, momentum:float=0.9, "
          "spatial:int=1"),
      Row(6, kLegacySignature, kT<kFloatTypes>,
          "epsilon:float=1e-5, is_test:int=0, momentum:float=0.9, spatial:int=1"),
      Row(7, kLegacySignature, kT<kFloatTypes>,
          "epsilon:float=1e-5, momentum:float=0.9, spatial:int=1"),
      Row(9, kLegacySignature, kT<kFloatTypes>, "epsilon:float=1e-5, momentum:float=0.9"),
      Row(14,
          "X:T, scale:T, B:T, input_mean:U, input_var:U -> Y:T, running_mean?:U, running_var?:U",
          kTypes14, "epsilon:float=1e-5, momentum:float=0.9, training_mode:int=0"),
      Row(15,
          "X:T, scale:T1, B:T1, input_mean:T2, input_var:T2 -> Y:T, running_mean?:T2, "
          "running_var?:T2",
          kTypes15, "epsilon:float=1e-5, momentum:float=0.9, training_mode:int=0"),
  });
  return kOps;
}

}  // namespace slipway::runtime
