// SPDX-License-Identifier: Apache-2.0
// com.microsoft: SkipLayerNormalization, SkipSimplifiedLayerNormalization,
// SimplifiedLayerNormalization (1). ONNX Runtime's optimisers write the last one, and
// LayerNormalization below opset 17, into the domain ai.onnx; they are served there too.
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include <algorithm>
#include <cmath>

#include "runtime/device/device.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/layer_norm.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

/// Which inputs and outputs the operator has where; -1 for none.
struct Layout {
  bool centered = true;  ///< the mean is taken off
  int skip = -1, gamma = 1, beta = -1, bias = -1;
  int mean = -1, inverse = -1, sum = -1;
};

Layout LayoutOf(const NodeFacts& node) {
  if (node.op->type == "SkipLayerNormalization") {
    return {.skip = 1, .gamma = 2, .beta = 3, .bias = 4, .mean = 1, .inverse = 2, .sum = 3};
  }
  if (node.op->type == "SkipSimplifiedLayerNormalization") {
    return {.centered = false, .skip = 1, .gamma = 2, .bias = 3, .mean = 1, .inverse = 2, .sum = 3};
  }
  return {.centered = false, .inverse = 1};
}

bool Given(const NodeFacts& node, int input) { return input >= 0 && node.Has(At(input)); }

/// First normalised dimension.
Result<std::int64_t> AxisOf(const NodeFacts& node) {
  return NormalizeAxis(node.attributes.Int("axis", -1), RankOf(node.shape(0)));
}

/// Leading ones are taken off.
Shape Trimmed(Shape shape) {
  while (shape.size() > 1 && shape.front() == 1) shape.erase(shape.begin());
  return shape;
}

Result<void> CheckSkip(const Shape& x, const Shape& skip) {
  const Shape tail = Trimmed(skip);
  const bool fits = tail.size() <= x.size() && std::equal(tail.rbegin(), tail.rend(), x.rbegin());
  if (fits || skip == x) return {};
  return Invalid("skip of ", skip, " does not fit input of ", x);
}

Result<Facts> Infer(const NodeFacts& node) {
  const Layout layout = LayoutOf(node);
  const Shape& x = node.shape(0);
  const auto axis = At(TRY(AxisOf(node)));
  const std::int64_t width = CountOf(x, axis, x.size());
  for (const int input : {layout.gamma, layout.beta, layout.bias}) {
    if (!Given(node, input)) continue;
    const Shape& shape = node.shape(At(input));
    if (CountOf(shape, 0, shape.size()) != width) {
      return Invalid("input ", input, " of ", shape, " has not ", width, " elements");
    }
  }
  if (Given(node, layout.skip)) TRY(CheckSkip(x, node.shape(At(layout.skip))));
  Shape statistics = x;
  std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), 1);
  Facts facts(4, TensorFacts(DType::kFloat32, statistics));
  facts[0] = TensorFacts(node.dtype(At(layout.gamma)), x);
  facts[3] = TensorFacts(node.dtype(0), x);
  return OutputFacts(node, std::move(facts));
}

/// One row of the input with what is added to it, normalised in place.
struct Row {
  double mean = 0, inverse = 0;
};

Row Normalize(std::span<double> row, bool centered, double epsilon) {
  Row result;
  const auto count = static_cast<double>(row.size());
  if (centered) {
    for (const double x : row) result.mean += x;
    result.mean /= count;
  }
  double variance = 0;
  for (const double x : row) variance += (x - result.mean) * (x - result.mean);
  result.inverse = 1 / std::sqrt(variance / count + epsilon);
  for (double& x : row) x = (x - result.mean) * result.inverse;
  return result;
}

template <class T>
class Normalizer {
 public:
  Normalizer(const NodeFacts& node, KernelContext& context, std::int64_t width)
      : layout_(LayoutOf(node)), node_(node), context_(context), width_(width) {
    const auto doubles = [&](int input) {
      return Given(node, input) ? DoublesOf(context.input(At(input))) : Doubles();
    };
    gamma_ = doubles(layout_.gamma);
    beta_ = doubles(layout_.beta);
    bias_ = doubles(layout_.bias);
    epsilon_ = static_cast<double>(node.attributes.Float("epsilon", 1e-5F));
  }

  void Run(std::int64_t begin, std::int64_t end) {
    Doubles row(At(width_));
    const T* x = context_.input(0)->data<T>().data();
    const Tensor* skip = Given(node_, layout_.skip) ? context_.input(At(layout_.skip)) : nullptr;
    T* sum = Has(layout_.sum) ? context_.output(At(layout_.sum)).data<T>().data() : nullptr;
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t i = 0; i < width_; ++i) {
        const std::int64_t at = r * width_ + i;
        double value = static_cast<double>(x[at]);
        if (skip != nullptr) value += static_cast<double>(skip->data<T>()[At(at % skip->size())]);
        if (!bias_.empty()) value += bias_[At(i)];
        if (sum != nullptr) sum[at] = static_cast<T>(value);
        row[At(i)] = value;
      }
      const Row statistics = Normalize(row, layout_.centered, epsilon_);
      Keep(layout_.mean, r, statistics.mean);
      Keep(layout_.inverse, r, statistics.inverse);
      Store(r, row);
    }
  }

 private:
  bool Has(int output) const { return output >= 0 && Wanted(node_, At(output)); }

  void Keep(int output, std::int64_t row, double value) {
    if (Has(output)) {
      context_.output(At(output)).template data<float>()[At(row)] = static_cast<float>(value);
    }
  }

  void Store(std::int64_t r, const Doubles& row) {
    if (!Has(0)) return;
    Tensor& y = context_.output(0);
    (void)Dispatch(FloatList{}, y.dtype(), [&](auto tag) {
      using Y = typename decltype(tag)::type;
      Y* out = y.data<Y>().data() + r * width_;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const double shift = beta_.empty() ? 0 : beta_[i];
        out[i] = static_cast<Y>(row[i] * gamma_[i] + shift);
      }
    });
  }

  Layout layout_;
  const NodeFacts& node_;
  KernelContext& context_;
  std::int64_t width_;
  Doubles gamma_, beta_, bias_;
  double epsilon_ = 0;
};

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const Shape& x = node.shape(0);
  const auto axis = At(TRY(AxisOf(node)));
  const std::int64_t width = CountOf(x, axis, x.size());
  if (context.input(0)->size() == 0) return {};
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    Normalizer<typename decltype(tag)::type> normalizer(node, context, width);
    context.ParallelFor(CountOf(x, 0, axis), 1,
                        [&](std::int64_t begin, std::int64_t end) { normalizer.Run(begin, end); });
  });
}

std::string DeclineSimd(const NodeFacts& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.Has(i) && node.dtype(i) != DType::kFloat32) {
      return Message("input ", i, " is of ", node.dtype(i));
    }
  }
  const Result<std::int64_t> axis = AxisOf(node);
  if (!axis) return axis.error().message;
  return CountOf(node.shape(0), 0, node.shape(0).size()) == 0 ? "the input is empty" : "";
}

/// In float32.
class Simd final : public Executable {
 public:
  Simd(const NodeFacts& node, std::int64_t axis, int threads)
      : node_(node), layout_(LayoutOf(node)), threads_(threads) {
    rows_ = CountOf(node.shape(0), 0, At(axis));
    width_ = CountOf(node.shape(0), At(axis), node.shape(0).size());
  }

  std::int64_t scratch_bytes() const override { return LayerRowsScratch(width_, threads_); }

  Result<void> Run(KernelContext& context) const override {
    const auto input = [&](int i) -> const float* {
      return Given(node_, i) ? context.input(At(i))->data<float>().data() : nullptr;
    };
    const auto output = [&](int i) -> float* {
      const bool wanted = i >= 0 && Wanted(node_, At(i));
      return wanted ? context.output(At(i)).data<float>().data() : nullptr;
    };
    LayerRows all{.rows = rows_,
                  .width = width_,
                  .x = input(0),
                  .skip = input(layout_.skip),
                  .bias = input(layout_.bias),
                  .scale = input(layout_.gamma),
                  .shift = input(layout_.beta),
                  .epsilon = static_cast<double>(node_.attributes.Float("epsilon", 1e-5F)),
                  .centered = layout_.centered,
                  .y = output(0),
                  .sum = output(layout_.sum),
                  .mean = output(layout_.mean),
                  .inverse = output(layout_.inverse)};
    if (all.skip != nullptr) all.skip_rows = context.input(At(layout_.skip))->size() / width_;
    RunLayerRows(context, all);
    return {};
  }

 private:
  const NodeFacts& node_;
  Layout layout_;
  int threads_;
  std::int64_t rows_ = 0, width_ = 0;
};

Result<std::unique_ptr<Executable>> PrepareSimd(const NodeFacts& node, DeviceContext& device) {
  const auto axis = TRY(AxisOf(node));
  return std::unique_ptr<Executable>(new Simd(node, axis, device.threads()));
}

NodeFacts AsLayer(const NodeFacts& node) { return AsNodeOf(node, "", "LayerNormalization", 17); }

Result<Facts> InferLayer(const NodeFacts& node) {
  const NodeFacts layer = AsLayer(node);
  return layer.op->infer(layer);
}

template <bool reference>
Result<std::unique_ptr<Executable>> PrepareLayer(const NodeFacts& node, DeviceContext& device) {
  return PrepareNode(AsLayer(node), reference, device);
}

constexpr Kernel kKernels[] = {
    {.name = "skip_normalization_simd", .declines = DeclineSimd, .prepare = PrepareSimd},
    {.name = "skip_normalization_simd_widened",
     .declines = DeclineWidened<DeclineSimd>,
     .prepare = PrepareWidened<PrepareSimd>},
    {.name = "skip_normalization_reference", .run = RunReference}};
constexpr Kernel kLayer[] = {{.name = "standard", .prepare = PrepareLayer<false>},
                             {.name = "standard_reference", .prepare = PrepareLayer<true>}};

constexpr TypeRule kSkipTypes[] = {{"T", kFloatTypesB}, {"U", kFloat32Type}};
constexpr TypeRule kSimplifiedTypes[] = {{"T", kFloatTypesB}, {"V", kFloatTypesB}};
constexpr TypeRule kLayerTypes[] = {{"T", kFloatTypesB}, {"U", kFloat32Type}};

consteval OpDef Simplified(std::string_view domain) {
  return {.type = "SimplifiedLayerNormalization",
          .domain = domain,
          .signature = "X:T, scale:V -> Y:V, inv_std_var?:float",
          .types = kSimplifiedTypes,
          .attributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_ms_layer_normalization() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "SkipLayerNormalization",
            .domain = "com.microsoft",
            .signature = "input:T, skip:T, gamma:T, beta?:T, bias?:T -> output:T, mean?:U, "
                         "inv_std_var?:U, input_skip_bias_sum?:T",
            .types = kSkipTypes,
            .attributes = "epsilon:float=1e-12",
            .infer = Infer,
            .kernels = kKernels},
      OpDef{.type = "SkipSimplifiedLayerNormalization",
            .domain = "com.microsoft",
            .signature = "input:T, skip:T, gamma:T, bias?:T -> output:T, mean?:U, inv_std_var?:U, "
                         "input_skip_bias_sum?:T",
            .types = kSkipTypes,
            .attributes = "epsilon:float=1e-12",
            .infer = Infer,
            .kernels = kKernels},
      Simplified("com.microsoft"),
      Simplified(""),
      OpDef{.type = "LayerNormalization",
            .until = 16,
            .signature = "X:T, Scale:T, B?:T -> Y:T, Mean?:U, InvStdDev?:U",
            .types = kLayerTypes,
            .attributes = "axis:int=-1, epsilon:float=1e-5, stash_type:int=1",
            .infer = InferLayer,
            .kernels = kLayer},
  });
  return kOps;
}

}  // namespace slipway::runtime
