// SPDX-License-Identifier: Apache-2.0
// What was experimental in ai.onnx until opset 9, and converters of that time wrote: Affine, Scale,
// ScaledTanh, ParametricSoftplus, ImageScaler, Crop, ConstantFill, GivenTensorFill. (DynamicSlice,
// ThresholdedRelu and MeanVarianceNormalization of these versions are with the later ones.)
// Spec: https://github.com/onnx/onnx/blob/v1.4.1/docs/Operators.md
#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

float Number(const NodeFacts& node, std::string_view name) {
  return node.attributes.Float(name, 0);
}

struct Affine {
  float alpha, beta;
  explicit Affine(const NodeFacts& node)
      : alpha(Number(node, "alpha")), beta(Number(node, "beta")) {}
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(alpha) * x + static_cast<T>(beta);
  }
};

struct Scale {
  float scale;
  explicit Scale(const NodeFacts& node) : scale(Number(node, "scale")) {}
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(scale) * x;
  }
};

struct ScaledTanh {
  float alpha, beta;
  explicit ScaledTanh(const NodeFacts& node)
      : alpha(Number(node, "alpha")), beta(Number(node, "beta")) {}
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(alpha) * std::tanh(static_cast<T>(beta) * x);
  }
};

struct ParametricSoftplus {
  float alpha, beta;
  explicit ParametricSoftplus(const NodeFacts& node)
      : alpha(Number(node, "alpha")), beta(Number(node, "beta")) {}
  template <class T>
  T operator()(T x) const {
    const T scaled = static_cast<T>(beta) * x;
    const T above = scaled > 0 ? scaled : T{0};
    return static_cast<T>(alpha) * (above + std::log1p(std::exp(-std::abs(scaled))));
  }
};

Result<Facts> InferImageScaler(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::size_t biases = node.attributes.Floats("bias").size();
  if (x.size() != 4 || (biases != 0 && At(x[1]) != biases)) {
    return Invalid("an input of ", x, " is no [N,C,H,W] of as many channels as `bias` has, ",
                   biases);
  }
  return InferSame(node);
}

Result<void> RunImageScaler(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const std::span<const float> bias = node.attributes.Floats("bias");
  const float scale = Number(node, "scale");
  const std::int64_t area = CountOf(x.shape(), 2, 4);
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = context.output(0).template data<T>().data();
    context.ParallelFor(x.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end;) {
        const std::int64_t plane = i / area;
        const auto add = static_cast<Compute<T>>(bias.empty() ? 0 : bias[At(plane % x.dim(1))]);
        const auto factor = static_cast<Compute<T>>(scale);
        for (const std::int64_t stop = std::min(end, (plane + 1) * area); i < stop; ++i) {
          out[i] = static_cast<T>(static_cast<Compute<T>>(in[i]) * factor + add);
        }
      }
    });
  });
}

/// Rows and columns that Crop takes.
struct Window {
  std::int64_t top = 0, left = 0;
  Shape shape;
};

Result<Window> WindowOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const std::vector<std::int64_t> border = node.attributes.Ints("border", {});
  const std::vector<std::int64_t> scale = node.attributes.Ints("scale", {});
  if (x.size() != 4) return Invalid("an input of ", x, " is not [N,C,H,W]");
  if (border.size() != 4) return Invalid("attribute `border` of ", border, " has not four numbers");
  if (!scale.empty() && scale.size() != 2) return Invalid("attribute `scale` of ", scale);
  const auto inside = [](std::int64_t dim, std::int64_t first, std::int64_t last) {
    return first >= 0 && last >= 0 && first <= dim && last <= dim - first;
  };
  if (!inside(x[2], border[1], border[3]) || !inside(x[3], border[0], border[2])) {
    return Invalid("attribute `border` of ", border, " leaves nothing of ", x);
  }
  Window window{.top = border[1], .left = border[0], .shape = x};
  window.shape[2] -= border[1] + border[3];
  window.shape[3] -= border[0] + border[2];
  if (scale.empty()) return window;
  for (std::size_t i = 0; i < 2; ++i) {
    if (scale[i] < 0 || scale[i] > x[2 + i] - border[1 - i]) {
      return Invalid("attribute `scale` of ", scale, " is more than ", x, " has");
    }
    window.shape[2 + i] = scale[i];
  }
  return window;
}

Result<Facts> InferCrop(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(0), TRY(WindowOf(node)).shape)};
}

Result<void> RunCrop(const NodeFacts& node, KernelContext& context) {
  const Window window = TRY(WindowOf(node));
  const Tensor& x = *context.input(0);
  StridedBox box{.dims = window.shape,
                 .from = ContiguousStrides(x.shape()),
                 .to = ContiguousStrides(window.shape)};
  box.from_offset = window.top * x.dim(3) + window.left;
  CopyBox(context, box, x, context.output(0));
  return {};
}

/// Of ConstantFill and GivenTensorFill; nothing where it depends on data.
Result<std::optional<Shape>> FilledShape(const NodeFacts& node, const Tensor* given) {
  const Attributes& attributes = node.attributes;
  Shape shape = attributes.Ints("shape", {});
  if (node.Has(0) && attributes.Int("input_as_shape", 0) != 0) {
    TRY(CheckVector(node, 0, "input"));
    if (!kIndexTypes.Has(node.dtype(0))) return Invalid("a shape of ", node.dtype(0));
    if (given == nullptr) return std::optional<Shape>();
    const std::vector<std::int64_t> dims = IntsOf(given);
    shape.insert(shape.end(), dims.begin(), dims.end());
  } else if (node.Has(0)) {
    shape = node.shape(0);
  }
  const std::vector<std::int64_t> extra = attributes.Ints("extra_shape", {});
  shape.insert(shape.end(), extra.begin(), extra.end());
  TRY(ElementCount(shape));
  return std::optional<Shape>(std::move(shape));
}

Result<DType> FilledType(const NodeFacts& node) {
  if (node.op->type == "GivenTensorFill") return DType::kFloat32;
  return DTypeAttribute(node, "dtype", DType::kFloat32, kNumericTypes | kBoolType);
}

Result<Facts> InferFill(const NodeFacts& node) {
  const DType dtype = TRY(FilledType(node));
  const auto shape = TRY(FilledShape(node, node.Has(0) ? node.inputs[0].constant : nullptr));
  return Facts{shape ? TensorFacts(dtype, *shape) : TensorFacts(dtype)};
}

Result<void> RunFill(const NodeFacts& node, KernelContext& context) {
  const auto shape = TRY(FilledShape(node, node.Has(0) ? context.input(0) : nullptr));
  const DType dtype = TRY(FilledType(node));
  Tensor* out = TRY(OutputOf(node, context, 0, dtype, *shape));
  const bool given = node.op->type == "GivenTensorFill";
  const std::span<const float> values = node.attributes.Floats("values");
  if (given && values.size() != At(out->size())) {
    return Invalid("attribute `values` has ", values.size(), " numbers for ", *shape);
  }
  Doubles numbers(At(out->size()), static_cast<double>(Number(node, "value")));
  if (given) std::ranges::copy(values, numbers.begin());
  return StoreDoubles(context, numbers, *out);
}

template <class F>
constexpr Kernel kElements[] = {{.name = "elementwise", .run = RunUnary<F, FloatList>}};
constexpr Kernel kImageScaler[] = {{.name = "image_scaler", .run = RunImageScaler}};
constexpr Kernel kCrop[] = {{.name = "crop", .run = RunCrop}};
constexpr Kernel kFill[] = {{.name = "fill", .run = RunFill}};

constexpr DTypeSet kFillShapes = kNumericTypes | kBoolType;

consteval OpDef Row(std::string_view type, std::string_view attributes,
                    std::span<const Kernel> kernels,
                    Result<Facts> (*infer)(const NodeFacts&) = InferSame) {
  return {.type = type,
          .until = 9,
          .signature = "X:T -> Y:T",
          .types = kT<kFloatTypes>,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

consteval OpDef Fill(std::string_view type, std::string_view attributes) {
  OpDef row = Row(type, attributes, kFill, InferFill);
  row.signature = "input?:T1 -> output:T2";
  row.types = kT1T2<kFillShapes, kFillShapes>;
  return row;
}

}  // namespace

OpList ops_experimental() {
  static constexpr OpDef kOps[] = {
      Row("Affine", "alpha:float=1.0, beta:float=0.0", kElements<Affine>),
      Row("Scale", "scale:float=1.0", kElements<Scale>),
      Row("ScaledTanh", "alpha:float=1.0, beta:float=1.0", kElements<ScaledTanh>),
      Row("ParametricSoftplus", "alpha:float=1.0, beta:float=1.0", kElements<ParametricSoftplus>),
      Row("ImageScaler", "bias:floats, scale:float=1.0", kImageScaler, InferImageScaler),
      Row("Crop", "border!:ints, scale:ints", kCrop, InferCrop),
      Fill("ConstantFill",
           "dtype:int=1, extra_shape:ints, input_as_shape:int=0, shape:ints, value:float=0.0"),
      Fill("GivenTensorFill", "extra_shape:ints, input_as_shape:int=0, shape:ints, values:floats"),
  };
  return kOps;
}

}  // namespace slipway::runtime
