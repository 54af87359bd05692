// SPDX-License-Identifier: Apache-2.0
// InstanceNormalization (opsets 1, 6, 22), GroupNormalization (18, 21), LayerNormalization (17),
// RMSNormalization (23).
// Spec: https://onnx.ai/onnx/operators/onnx__LayerNormalization.html and the others' pages.
// Statistics are always taken in double, whatever `stash_type` says.
#include <cmath>
#include <optional>

#include "runtime/bounds.h"
#include "runtime/device/device.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/layer_norm.h"
#include "runtime/kernels/layer_norm_simd.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

struct Moments {
  double mean = 0;
  double inverse = 1;  ///< of the standard deviation, or of the root mean square
};

template <class T>
Moments MomentsOf(const T* x, std::int64_t count, double epsilon, bool centered) {
  Moments moments;
  const auto size = static_cast<double>(count);
  if (centered) {
    for (std::int64_t i = 0; i < count; ++i) moments.mean += static_cast<double>(x[i]);
    moments.mean /= size;
  }
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(x[i]) - moments.mean;
    squares += value * value;
  }
  moments.inverse = 1 / std::sqrt(squares / size + epsilon);
  return moments;
}

Result<Facts> InferInstance(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() < 3) return Invalid("input of ", x, " has no spatial dimensions");
  for (std::size_t i = 1; i < 3; ++i) {
    if (node.shape(i) != Shape{x[1]}) {
      return Invalid("input ", i, " of ", node.shape(i), " is not [", x[1], "]");
    }
  }
  return InferSame(node);
}

Result<Facts> InferGroup(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() < 2) return Invalid("input of ", x, " has no channels");
  const std::int64_t groups = node.attributes.Int("num_groups", 0);
  if (groups < 1 || x[1] % groups != 0) {
    return Invalid("attribute `num_groups` is ", groups, " for ", x[1], " channels");
  }
  const std::int64_t count = node.op->since < 21 ? groups : x[1];
  for (std::size_t i = 1; i < 3; ++i) {
    if (node.shape(i) != Shape{count}) {
      return Invalid("input ", i, " of ", node.shape(i), " is not [", count, "]");
    }
  }
  return InferSame(node);
}

/// Rows of `channels` planes of `inner` elements are normalised together; scale and bias are
/// one per plane, or one per row where `per_row`.
template <class T>
void NormalizePlanes(const NodeFacts& node, KernelContext& context, std::int64_t channels,
                     std::int64_t groups, bool per_row) {
  if (context.input(0)->size() == 0) return;
  const T* x = context.input(0)->data<T>().data();
  const T* scale = context.input(1)->data<T>().data();
  const T* bias = context.input(2)->data<T>().data();
  T* y = context.output(0).data<T>().data();
  const Shape& shape = node.shape(0);
  const std::int64_t inner = CountOf(shape, 2, shape.size());
  const std::int64_t rows = shape[0] * groups;
  const double epsilon = node.attributes.Float("epsilon", 1e-5F);
  context.ParallelFor(rows, 1, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t start = row * channels * inner;
      const Moments moments = MomentsOf(x + start, channels * inner, epsilon, true);
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t group = row % groups;
        const std::int64_t which = per_row ? group : group * channels + c;
        const double factor = moments.inverse * static_cast<double>(scale[which]);
        const double offset = static_cast<double>(bias[which]) - moments.mean * factor;
        for (std::int64_t i = start + c * inner; i < start + (c + 1) * inner; ++i) {
          y[i] = static_cast<T>(static_cast<double>(x[i]) * factor + offset);
        }
      }
    }
  });
}

Result<void> RunInstance(const NodeFacts& node, KernelContext& context) {
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    NormalizePlanes<typename decltype(tag)::type>(node, context, 1, node.shape(0)[1], true);
  });
}

Result<void> RunGroup(const NodeFacts& node, KernelContext& context) {
  const std::int64_t groups = node.attributes.Int("num_groups", 1);
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    NormalizePlanes<typename decltype(tag)::type>(node, context, node.shape(0)[1] / groups, groups,
                                                  node.op->since < 21);
  });
}

/// First normalised dimension.
Result<std::size_t> LayerAxis(const NodeFacts& node) {
  return At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), RankOf(node.shape(0)))));
}

Result<Facts> InferLayer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::size_t axis = TRY(LayerAxis(node));
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) continue;
    const Result<Shape> joined = BroadcastShapes(x, node.shape(i));
    if (!joined || *joined != x) {
      return Invalid("input ", i, " of ", node.shape(i), " does not broadcast to ", x);
    }
  }
  Shape statistics = x;
  std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), 1);
  const DType stash =
      node.attributes.Int("stash_type", 1) == 16 ? DType::kBfloat16 : DType::kFloat32;
  const bool rms = node.op->type == "RMSNormalization";
  return OutputFacts(node, {TensorFacts(rms ? node.dtype(1) : node.dtype(0), x),
                            TensorFacts(stash, statistics), TensorFacts(stash, statistics)});
}

void StoreStatistic(Tensor* output, std::int64_t row, double value) {
  if (output == nullptr) return;
  if (output->dtype() == DType::kFloat32) {
    output->data<float>()[At(row)] = static_cast<float>(value);
  } else {
    output->data<BFloat16>()[At(row)] = BFloat16(value);
  }
}

/// Scale and bias along one row of the plan: their element at column i is from + i * step.
template <class T, class S>
void NormalizeRows(const NodeFacts& node, KernelContext& context, std::size_t axis) {
  const Shape& shape = node.shape(0);
  const bool centered = node.op->type == "LayerNormalization";
  const T* x = context.input(0)->data<T>().data();
  S* y = context.output(0).data<S>().data();
  const S* scale = context.input(1)->data<S>().data();
  const S* bias = node.Has(2) ? context.input(2)->data<S>().data() : nullptr;
  const BroadcastPlan plan =
      PlanBroadcast(shape, {node.shape(1), node.Has(2) ? node.shape(2) : Shape{}});
  Tensor* mean = Wanted(node, 1) ? &context.output(1) : nullptr;
  Tensor* inverse = Wanted(node, 2) ? &context.output(2) : nullptr;
  if (plan.size == 0 && mean == nullptr && inverse == nullptr) return;
  const std::int64_t count = CountOf(shape, axis, shape.size());
  const std::int64_t rows = CountOf(shape, 0, axis);
  const double epsilon = node.attributes.Float("epsilon", 1e-5F);
  context.ParallelFor(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Moments moments = MomentsOf(x + row * count, count, epsilon, centered);
      StoreStatistic(mean, row, moments.mean);
      StoreStatistic(inverse, row, moments.inverse);
      ForEachRun(plan, row * count, (row + 1) * count,
                 [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t length) {
                   for (std::int64_t i = 0; i < length; ++i) {
                     const double normal =
                         (static_cast<double>(x[at + i]) - moments.mean) * moments.inverse;
                     double value =
                         normal * static_cast<double>(scale[from[0] + i * plan.inner_stride(0)]);
                     if (bias != nullptr) {
                       value += static_cast<double>(bias[from[1] + i * plan.inner_stride(1)]);
                     }
                     y[at + i] = static_cast<S>(value);
                   }
                 });
    }
  });
}

Result<void> RunLayer(const NodeFacts& node, KernelContext& context) {
  const std::size_t axis = TRY(LayerAxis(node));
  Result<void> inner;
  TRY(Dispatch(FloatList{}, node.dtype(0), [&](auto x_tag) {
    inner = Dispatch(FloatList{}, node.dtype(1), [&](auto scale_tag) {
      NormalizeRows<typename decltype(x_tag)::type, typename decltype(scale_tag)::type>(
          node, context, axis);
    });
  }));
  return inner;
}

std::string DeclineUnlessFloat(const NodeFacts& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.Has(i) && node.dtype(i) != DType::kFloat32) {
      return Message("input ", i, " is of ", node.dtype(i));
    }
  }
  return CountOf(node.shape(0), 0, node.shape(0).size()) == 0 ? "the input is empty" : "";
}

std::string DeclineLayerSimd(const NodeFacts& node) {
  if (std::string why = DeclineUnlessFloat(node); !why.empty()) return why;
  const Result<std::size_t> axis = LayerAxis(node);
  if (!axis) return axis.error().message;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.Has(i) && !IsOneRow(node.shape(i), node.shape(0), *axis)) {
      return Message("input ", i, " of ", node.shape(i), " has not one number for each of a row");
    }
  }
  const bool narrow = node.attributes.Int("stash_type", 1) == 16;
  return narrow && (Wanted(node, 1) || Wanted(node, 2)) ? "the statistics are wanted in bfloat16"
                                                        : "";
}

/// LayerNormalization and RMSNormalization of float32.
class LayerSimd final : public Executable {
 public:
  LayerSimd(const NodeFacts& node, std::size_t axis, int threads)
      : node_(node), axis_(axis), threads_(threads) {}

  std::int64_t scratch_bytes() const override { return LayerRowsScratch(width(), threads_); }

  Result<void> Run(KernelContext& context) const override {
    const auto input = [&](std::size_t i) { return context.input(i)->data<float>().data(); };
    const auto output = [&](std::size_t i) {
      return Wanted(node_, i) ? context.output(i).data<float>().data() : nullptr;
    };
    RunLayerRows(context, {.rows = CountOf(node_.shape(0), 0, axis_),
                           .width = width(),
                           .x = input(0),
                           .scale = input(1),
                           .shift = node_.Has(2) ? input(2) : nullptr,
                           .epsilon = node_.attributes.Float("epsilon", 1e-5F),
                           .centered = node_.op->type == "LayerNormalization",
                           .y = output(0),
                           .mean = output(1),
                           .inverse = output(2)});
    return {};
  }

 private:
  std::int64_t width() const { return CountOf(node_.shape(0), axis_, node_.shape(0).size()); }

  const NodeFacts& node_;
  std::size_t axis_;
  int threads_;
};

Result<std::unique_ptr<Executable>> PrepareLayerSimd(const NodeFacts& node, DeviceContext& device) {
  const std::size_t axis = TRY(LayerAxis(node));
  return std::unique_ptr<Executable>(new LayerSimd(node, axis, device.threads()));
}

/// As NormalizePlanes, of float32.
Result<void> NormalizePlanesSimd(const NodeFacts& node, KernelContext& context,
                                 std::int64_t channels, std::int64_t groups, bool per_row) {
  const Shape& shape = node.shape(0);
  const std::int64_t inner = CountOf(shape, 2, shape.size());
  const float* x = context.input(0)->data<float>().data();
  const float* scale = context.input(1)->data<float>().data();
  const float* bias = context.input(2)->data<float>().data();
  float* y = context.output(0).data<float>().data();
  const double epsilon = node.attributes.Float("epsilon", 1e-5F);
  context.ParallelFor(shape[0] * groups, 1, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (MustStop()) return;
      const std::int64_t group = row % groups, start = row * channels * inner;
      const RowMoments moments = MomentsOfRow(x + start, channels * inner, epsilon);
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t which = per_row ? group : group * channels + c, at = start + c * inner;
        const double factor = moments.inverse * static_cast<double>(scale[which]);
        ScaleRow(x + at, inner, factor, static_cast<double>(bias[which]) - moments.mean * factor,
                 y + at);
      }
    }
  });
  return {};
}

Result<void> RunInstanceSimd(const NodeFacts& node, KernelContext& context) {
  return NormalizePlanesSimd(node, context, 1, node.shape(0)[1], true);
}

Result<void> RunGroupSimd(const NodeFacts& node, KernelContext& context) {
  const std::int64_t groups = node.attributes.Int("num_groups", 1);
  return NormalizePlanesSimd(node, context, node.shape(0)[1] / groups, groups, node.op->since < 21);
}

constexpr Kernel kInstance[] = {
    {.name = "instance_normalization_simd", .declines = DeclineUnlessFloat, .run = RunInstanceSimd},
    {.name = "instance_normalization", .run = RunInstance}};
constexpr Kernel kGroup[] = {
    {.name = "group_normalization_simd", .declines = DeclineUnlessFloat, .run = RunGroupSimd},
    {.name = "group_normalization", .run = RunGroup}};
constexpr Kernel kLayer[] = {
    {.name = "layer_normalization_simd", .declines = DeclineLayerSimd, .prepare = PrepareLayerSimd},
    {.name = "layer_normalization_simd_widened",
     .declines = DeclineWidened<DeclineLayerSimd>,
     .prepare = PrepareWidened<PrepareLayerSimd>},
    {.name = "layer_normalization", .run = RunLayer}};

consteval OpDef Instance(int since, std::span<const TypeRule> types) {
  return {
      .type = "InstanceNormalization",
      .since = since,
      .signature = "input:T, scale:T, B:T -> output:T",
      .types = types,
      .attributes = since == 1 ? "consumed_inputs:ints, epsilon:float=1e-5" : "epsilon:float=1e-5",
      .infer = InferInstance,
      .kernels = kInstance};
}

consteval OpDef Group(int since, std::string_view attributes) {
  return {.type = "GroupNormalization",
          .since = since,
          .signature = "X:T, scale:T, bias:T -> Y:T",
          .types = kT<kFloatTypesB>,
          .attributes = attributes,
          .infer = InferGroup,
          .kernels = kGroup};
}

constexpr DTypeSet kStash = Types({DType::kFloat32, DType::kBfloat16});
constexpr TypeRule kLayerTypes[] = {{"T", kFloatTypesB}, {"U", kStash}};
constexpr TypeRule kRmsTypes[] = {{"T", kFloatTypesB}, {"V", kFloatTypesB}};
constexpr std::string_view kLayerAttributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1";

}  // namespace

OpList ops_normalization() {
  static constexpr auto kOps = Versions({
      Instance(1, kT<kFloatTypes>),
      Instance(6, kT<kFloatTypes>),
      Instance(22, kT<kFloatTypesB>),
      Group(18, "epsilon:float=1e-5, num_groups!:int"),
      Group(21, "epsilon:float=1e-5, num_groups!:int, stash_type:int=1"),
      OpDef{.type = "LayerNormalization",
            .since = 17,
            .signature = "X:T, Scale:T, B?:T -> Y:T, Mean?:U, InvStdDev?:U",
            .types = kLayerTypes,
            .attributes = kLayerAttributes,
            .infer = InferLayer,
            .kernels = kLayer},
      OpDef{.type = "RMSNormalization",
            .since = 23,
            .signature = "X:T, scale:V -> Y:V",
            .types = kRmsTypes,
            .attributes = kLayerAttributes,
            .infer = InferLayer,
            .kernels = kLayer},
  });
  return kOps;
}

}  // namespace slipway::runtime
