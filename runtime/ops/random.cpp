// SPDX-License-Identifier: Apache-2.0
// RandomUniform, RandomNormal, RandomUniformLike, RandomNormalLike (opsets 1, 22), Bernoulli
// (15, 22), Multinomial (7, 22).
// Spec: https://onnx.ai/onnx/operators/onnx__RandomUniform.html and the pages of the others.
// With a seed every run gives the numbers that NumPy's RandomState of that seed gives.
#include "runtime/kernels/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Sets every element to what next() gives, in order.
template <class Next>
Result<void> FillBy(Tensor& out, Next&& next) {
  return Dispatch(decltype(NumericList() + TypeList<bool>()){}, out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    Pause pause;
    for (T& element : out.data<T>()) {
      if (pause.MustStop(64)) return;
      element = static_cast<T>(static_cast<double>(next()));
    }
  });
}

Result<void> RunUniform(const NodeFacts& node, KernelContext& context) {
  UniformSource uniform = UniformSource::Of(node, "seed");
  const double low = node.attributes.Float("low", 0);
  const double range = node.attributes.Float("high", 1) - low;
  return FillBy(context.output(0), [&] { return low + range * uniform.Next(); });
}

Result<void> RunNormal(const NodeFacts& node, KernelContext& context) {
  NormalSource normal(UniformSource::Of(node, "seed"));
  const double mean = node.attributes.Float("mean", 0);
  const double scale = node.attributes.Float("scale", 1);
  return FillBy(context.output(0), [&] { return mean + scale * normal.Next(); });
}

DTypeSet OutputTypes(const NodeFacts& node) { return node.op->types.back().dtypes; }

Result<Facts> InferShaped(const NodeFacts& node) {
  const Shape shape = node.attributes.Ints("shape", {});
  TRY(ElementCount(shape));
  return Facts{
      TensorFacts(TRY(DTypeAttribute(node, "dtype", DType::kFloat32, OutputTypes(node))), shape)};
}

Result<Facts> InferLike(const NodeFacts& node) {
  return Facts{TensorFacts(TRY(DTypeAttribute(node, "dtype", node.dtype(0), OutputTypes(node))),
                           node.shape(0))};
}

/// NumPy's way to 1 with probability p: by inversion, of the rarer of the two results.
Result<void> RunBernoulli(const NodeFacts& node, KernelContext& context) {
  const Doubles chances = DoublesOf(context.input(0));
  for (const double p : chances) {
    if (!(p >= 0 && p <= 1)) {
      return Invalid("probability ", static_cast<float>(p), " out of range [0, 1]");
    }
  }
  UniformSource uniform = UniformSource::Of(node, "seed");
  auto chance = chances.begin();
  return FillBy(context.output(0), [&] {
    const double p = *chance++;
    const double drawn = uniform.Next();
    return p <= 0.5 ? drawn > 1 - p : drawn <= p;
  });
}

Result<Facts> InferMultinomial(const NodeFacts& node) {
  const std::int64_t samples = node.attributes.Int("sample_size", 1);
  if (node.shape(0).size() != 2) return Invalid("input of ", node.shape(0), " is no matrix");
  if (samples < 1) return Invalid("attribute `sample_size` is ", samples);
  if (node.shape(0)[1] == 0) return Invalid("there are no classes to draw");
  return Facts{TensorFacts(TRY(DTypeAttribute(node, "dtype", DType::kInt32, OutputTypes(node))),
                           {node.shape(0)[0], samples})};
}

/// Sums of the probabilities of classes up to each, from their logarithms up to a constant.
Result<Doubles> Cumulated(std::span<const double> logs) {
  const double most = *std::ranges::max_element(logs);
  Doubles sums;
  double sum = 0;
  for (const double log : logs) {
    sum += std::exp(log - most);
    sums.push_back(sum);
  }
  if (std::isfinite(sum)) return sums;
  return Invalid("log probabilities are not finite");
}

Result<void> RunMultinomial(const NodeFacts& node, KernelContext& context) {
  const Doubles logs = DoublesOf(context.input(0));
  const auto classes = At(node.shape(0)[1]);
  std::vector<Doubles> rows;
  for (std::size_t at = 0; at < logs.size(); at += classes) {
    rows.push_back(TRY(Cumulated(std::span(logs).subspan(at, classes))));
  }
  UniformSource uniform = UniformSource::Of(node, "seed");
  Tensor& out = context.output(0);
  std::int64_t at = 0;
  return FillBy(out, [&] {
    const Doubles& sums = rows[At(at++ / out.dim(1))];
    const auto found = std::ranges::upper_bound(sums, uniform.Next() * sums.back());
    return std::min<std::int64_t>(found - sums.begin(), static_cast<std::int64_t>(classes) - 1);
  });
}

constexpr Kernel kUniform[] = {{.name = "random_uniform", .run = RunUniform}};
constexpr Kernel kNormal[] = {{.name = "random_normal", .run = RunNormal}};
constexpr Kernel kBernoulli[] = {{.name = "bernoulli", .run = RunBernoulli}};
constexpr Kernel kMultinomial[] = {{.name = "multinomial", .run = RunMultinomial}};

constexpr std::string_view kUniformAttributes =
    "dtype:int=1, high:float=1.0, low:float=0.0, seed:float, shape!:ints";
constexpr std::string_view kNormalAttributes =
    "dtype:int=1, mean:float=0.0, scale:float=1.0, seed:float, shape!:ints";
constexpr std::string_view kUniformLikeAttributes =
    "dtype:int, high:float=1.0, low:float=0.0, seed:float";
constexpr std::string_view kNormalLikeAttributes =
    "dtype:int, mean:float=0.0, scale:float=1.0, seed:float";

consteval OpDef Shaped(std::string_view type, int since, std::span<const TypeRule> types,
                       std::string_view attributes, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "-> output:T",
          .types = types,
          .attributes = attributes,
          .infer = InferShaped,
          .kernels = kernels,
          .deterministic = false};
}

consteval OpDef Like(std::string_view type, int since, std::span<const TypeRule> types,
                     std::string_view attributes, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "input:T1 -> output:T2",
          .types = types,
          .attributes = attributes,
          .infer = InferLike,
          .kernels = kernels,
          .deterministic = false};
}

consteval OpDef Multinomial(int since, std::span<const TypeRule> types) {
  OpDef row =
      Like("Multinomial", since, types, "dtype:int=6, sample_size:int=1, seed:float", kMultinomial);
  row.infer = InferMultinomial;
  return row;
}

constexpr DTypeSet kDrawn = kNumericTypesB | kBoolType;

}  // namespace

OpList ops_random() {
  static constexpr auto kOps = Versions({
      Shaped("RandomUniform", 1, kT<kFloatTypes>, kUniformAttributes, kUniform),
      Shaped("RandomUniform", 22, kT<kFloatTypesB>, kUniformAttributes, kUniform),
      Shaped("RandomNormal", 1, kT<kFloatTypes>, kNormalAttributes, kNormal),
      Shaped("RandomNormal", 22, kT<kFloatTypesB>, kNormalAttributes, kNormal),
      Like("RandomUniformLike", 1, kT1T2<kClassicTypes, kFloatTypes>, kUniformLikeAttributes,
           kUniform),
      Like("RandomUniformLike", 22, kT1T2<kTypes13, kFloatTypesB>, kUniformLikeAttributes,
           kUniform),
      Like("RandomNormalLike", 1, kT1T2<kClassicTypes, kFloatTypes>, kNormalLikeAttributes,
           kNormal),
      Like("RandomNormalLike", 22, kT1T2<kTypes13, kFloatTypesB>, kNormalLikeAttributes, kNormal),
      Like("Bernoulli", 15, kT1T2<kFloatTypes, kDrawn>, "dtype:int, seed:float", kBernoulli),
      Like("Bernoulli", 22, kT1T2<kFloatTypesB, kDrawn>, "dtype:int, seed:float", kBernoulli),
      Multinomial(7, kT1T2<kFloatTypes, kIndexTypes>),
      Multinomial(22, kT1T2<kFloatTypesB, kIndexTypes>),
  });
  return kOps;
}

}  // namespace slipway::runtime
