// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: Scaler, Normalizer, Imputer, Binarizer (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html and the pages of the others.
// Normalizer leaves a row alone whose norm is 0; L2 keeps signs. Imputer takes a replaced value
// that is NaN for every NaN.
#include <algorithm>
#include <cmath>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/small_room.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using FeatureList = TypeList<float, double, std::int64_t, std::int32_t>;

std::int64_t WidthOf(const Shape& shape) { return shape.empty() ? 1 : shape.back(); }

/// A list of one entry, or of one per feature.
Result<void> CheckPerFeature(std::string_view name, std::size_t entries, const Shape& x) {
  if (entries <= 1 || static_cast<std::int64_t>(entries) == WidthOf(x)) return {};
  return Invalid("attribute `", name, "` has ", entries, " entries for input of ", x);
}

template <class List>
auto PerFeature(const List& list, std::int64_t feature) {
  return list.size() == 1 ? list[0] : list[At(feature)];
}

Result<Facts> InferScaler(const NodeFacts& node) {
  for (const std::string_view name : {"scale", "offset"}) {
    TRY(CheckPerFeature(name, node.attributes.Floats(name).size(), node.shape(0)));
  }
  return Facts{TensorFacts(DType::kFloat32, node.shape(0))};
}

Result<void> RunScaler(const NodeFacts& node, KernelContext& context) {
  const auto scale = node.attributes.Floats("scale");
  const auto offset = node.attributes.Floats("offset");
  const std::int64_t width = WidthOf(node.shape(0));
  auto y = context.output(0).data<float>();
  return Dispatch(FeatureList{}, node.dtype(0), [&](auto tag) {
    const auto x = context.input(0)->data<typename decltype(tag)::type>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::int64_t feature = static_cast<std::int64_t>(i) % width;
      auto value = static_cast<double>(x[i]);
      if (!offset.empty()) value -= static_cast<double>(PerFeature(offset, feature));
      if (!scale.empty()) value *= static_cast<double>(PerFeature(scale, feature));
      y[i] = static_cast<float>(value);
    }
  });
}

enum class Norm : std::uint8_t { kMax, kL1, kL2 };

Result<Norm> NormOf(const NodeFacts& node) {
  const std::string_view name = node.attributes.String("norm", "MAX");
  if (name == "MAX") return Norm::kMax;
  if (name == "L1") return Norm::kL1;
  if (name == "L2") return Norm::kL2;
  return Invalid("attribute `norm` is `", name, "`, not MAX, L1 or L2");
}

Result<Facts> InferNormalizer(const NodeFacts& node) {
  TRY(NormOf(node));
  TRY(ExamplesOf(node.shape(0)));
  return Facts{TensorFacts(DType::kFloat32, node.shape(0))};
}

double NormOfRow(Norm norm, std::span<const double> row) {
  if (row.empty()) return 0;
  if (norm == Norm::kMax) return *std::ranges::max_element(row);
  double sum = 0;
  for (const double x : row) sum += norm == Norm::kL1 ? std::abs(x) : x * x;
  return norm == Norm::kL1 ? sum : std::sqrt(sum);
}

Result<void> RunNormalizer(const NodeFacts& node, KernelContext& context) {
  const Norm norm = TRY(NormOf(node));
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  SmallRoom<double, kFewFeatures> room(At(examples.features));
  const std::span row(room.data(), At(examples.features));
  float* y = context.output(0).data<float>().data();
  for (std::int64_t r = 0; r < examples.rows; ++r) {
    ReadExample(*context.input(0), r, row);
    const double length = NormOfRow(norm, row);
    for (const double value : row) *y++ = static_cast<float>(length == 0 ? value : value / length);
  }
  return {};
}

bool IsWhole(DType dtype) { return dtype == DType::kInt64 || dtype == DType::kInt32; }

Result<Facts> InferImputer(const NodeFacts& node) {
  const bool whole = IsWhole(node.dtype(0));
  const std::string_view name = whole ? "imputed_value_int64s" : "imputed_value_floats";
  const std::size_t entries =
      whole ? node.attributes.Ints(name, {}).size() : node.attributes.Floats(name).size();
  if (entries == 0) return Invalid("attribute `", name, "` is missing");
  TRY(CheckPerFeature(name, entries, node.shape(0)));
  return InferSame(node);
}

Result<void> RunImputer(const NodeFacts& node, KernelContext& context) {
  const std::int64_t width = WidthOf(node.shape(0));
  return Dispatch(FeatureList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto x = context.input(0)->data<T>();
    auto y = context.output(0).data<T>();
    const auto replace = [&](const auto& values, auto replaced, const auto& is_nan) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool hit = is_nan(replaced) ? is_nan(x[i]) : x[i] == static_cast<T>(replaced);
        y[i] =
            hit ? static_cast<T>(PerFeature(values, static_cast<std::int64_t>(i) % width)) : x[i];
      }
    };
    if constexpr (std::is_integral_v<T>) {
      replace(node.attributes.Ints("imputed_value_int64s", {}),
              node.attributes.Int("replaced_value_int64", 0), [](auto) { return false; });
    } else {
      replace(node.attributes.Floats("imputed_value_floats"),
              node.attributes.Float("replaced_value_float", 0),
              [](auto value) { return std::isnan(value); });
    }
  });
}

Result<void> RunBinarizer(const NodeFacts& node, KernelContext& context) {
  const auto threshold = static_cast<double>(node.attributes.Float("threshold", 0));
  return Dispatch(FeatureList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto x = context.input(0)->data<T>();
    auto y = context.output(0).data<T>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = static_cast<double>(x[i]) > threshold ? T{1} : T{0};
    }
  });
}

constexpr Kernel kScaler[] = {{.name = "scaler_reference", .run = RunScaler}};
constexpr Kernel kNormalizer[] = {{.name = "normalizer_reference", .run = RunNormalizer}};
constexpr Kernel kImputer[] = {{.name = "imputer_reference", .run = RunImputer}};
constexpr Kernel kBinarizer[] = {{.name = "binarizer_reference", .run = RunBinarizer}};

constexpr DTypeSet kFeatures =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32});

consteval OpDef Row(std::string_view type, std::string_view signature, std::string_view attributes,
                    Result<Facts> (*infer)(const NodeFacts&), std::span<const Kernel> kernels) {
  return {.type = type,
          .domain = "ai.onnx.ml",
          .signature = signature,
          .types = kT<kFeatures>,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

}  // namespace

OpList ops_ml_scaling() {
  static constexpr auto kOps = Versions({
      Row("Scaler", "X:T -> Y:float", "offset:floats, scale:floats", InferScaler, kScaler),
      Row("Normalizer", "X:T -> Y:float", "norm:string=MAX", InferNormalizer, kNormalizer),
      Row("Imputer", "X:T -> Y:T",
          "imputed_value_floats:floats, imputed_value_int64s:ints, replaced_value_float:float=0.0, "
          "replaced_value_int64:int=0",
          InferImputer, kImputer),
      Row("Binarizer", "X:T -> Y:T", "threshold:float=0.0", InferSame, kBinarizer),
  });
  return kOps;
}

}  // namespace slipway::runtime
