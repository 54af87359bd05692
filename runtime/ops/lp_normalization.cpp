// SPDX-License-Identifier: Apache-2.0
// LpNormalization (opsets 1, 22), MeanVarianceNormalization (9, 13; 1,
// experimental).
// Spec: https://onnx.ai/onnx/operators/onnx__LpNormalization.html,
// onnx__MeanVarianceNormalization.html
// A row whose norm is 0 becomes zeros.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/layer_norm_simd.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/reduce_simd.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferLp(const NodeFacts& node) {
  TRY(NormalizeAxis(node.attributes.Int("axis", -1), RankOf(node.shape(0))));
  const std::int64_t p = node.attributes.Int("p", 2);
  if (p != 1 && p != 2) return Invalid("attribute `p` is ", p, ", neither 1 nor 2");
  return InferSame(node);
}

Result<void> RunLp(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), x.rank())));
  const bool squares = node.attributes.Int("p", 2) == 2;
  const std::int64_t count = x.shape()[axis];
  const std::int64_t inner = CountOf(x.shape(), axis + 1, x.shape().size());
  const std::int64_t rows = count == 0 ? 0 : x.size() / count;
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = context.output(0).data<T>().data();
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row / inner * count * inner + row % inner;
      double norm = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        const auto value = static_cast<double>(in[at + i * inner]);
        norm += squares ? value * value : std::abs(value);
      }
      if (squares) norm = std::sqrt(norm);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto value = static_cast<double>(in[at + i * inner]);
        out[at + i * inner] = static_cast<T>(norm == 0 ? 0 : value / norm);
      }
    }
  });
}

std::string DeclineLpSimd(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "the input is not float32";
  const Shape& x = node.shape(0);
  const auto axis = NormalizeAxis(node.attributes.Int("axis", -1), RankOf(x));
  if (!axis) return axis.error().message;
  return CountOf(x, At(*axis) + 1, x.size()) == 1 ? "" : "the rows do not lie together";
}

Result<void> RunLpSimd(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), x.rank())));
  if (x.size() == 0) return {};
  const bool squares = node.attributes.Int("p", 2) == 2;
  const std::int64_t count = x.shape()[axis];
  const float* const in = x.data<float>().data();
  float* const out = context.output(0).data<float>().data();
  const std::int64_t grain = std::max<std::int64_t>(1, (16 << 10) / count);
  context.ParallelFor(x.size() / count, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin * count; at < end * count && !MustStop(); at += count) {
      double norm = 0;
      ResultsOfRows(squares ? Total::kSumOfSquares : Total::kSumOfSizes, in + at, 1, count, &norm);
      if (squares) norm = std::sqrt(norm);
      if (norm == 0) {
        std::fill_n(out + at, count, 0.0F);
      } else {
        ScaleRow(in + at, count, 1 / norm, 0, out + at);
      }
    }
  });
  return {};
}

Result<std::vector<std::int64_t>> AxesOf(const NodeFacts& node) {
  const std::int64_t rank = RankOf(node.shape(0));
  if (node.op->since >= 9 || node.attributes.Has("axes")) {
    return NormalizeAxes(node.attributes.Ints("axes", {0, 2, 3}), rank);
  }
  std::vector<std::int64_t> axes(At(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (rank > 1 && node.attributes.Int("across_channels", 0) == 0) axes.erase(axes.begin() + 1);
  return axes;
}

Result<Facts> InferMeanVariance(const NodeFacts& node) {
  TRY(AxesOf(node));
  return InferSame(node);
}

/// For each element the number of the group it is normalised with.
CountedVector<std::int64_t> GroupsOf(const Shape& shape, const std::vector<std::int64_t>& axes,
                                     std::int64_t& groups) {
  Strides steps(shape.size(), 0);
  groups = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(d)) != axes.end()) continue;
    steps[d] = groups;
    groups *= shape[d];
  }
  CountedVector<std::int64_t> numbers(At(CountOf(shape, 0, shape.size())));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t d = shape.size(); d-- > 0;) {
      numbers[i] += rest % shape[d] * steps[d];
      rest /= shape[d];
    }
  }
  return numbers;
}

Result<void> RunMeanVariance(const NodeFacts& node, KernelContext& context) {
  constexpr double kEpsilon = 1e-9;
  const Tensor& x = *context.input(0);
  std::int64_t groups = 1;
  const CountedVector<std::int64_t> group = GroupsOf(x.shape(), TRY(AxesOf(node)), groups);
  if (group.empty()) return {};
  const double count = static_cast<double>(x.size()) / static_cast<double>(groups);
  const bool scaled = node.attributes.Int("normalize_variance", 1) != 0;
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto in = x.data<T>();
    auto out = context.output(0).data<T>();
    Doubles mean(At(groups), 0);
    Doubles variance(At(groups), 0);
    for (std::size_t i = 0; i < in.size(); ++i) {
      mean[At(group[i])] += static_cast<double>(in[i]) / count;
    }
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double off = static_cast<double>(in[i]) - mean[At(group[i])];
      variance[At(group[i])] += off * off / count;
    }
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double off = static_cast<double>(in[i]) - mean[At(group[i])];
      const double deviation = scaled ? std::sqrt(variance[At(group[i])]) + kEpsilon : 1;
      out[i] = static_cast<T>(off / deviation);
    }
  });
}

constexpr Kernel kLp[] = {
    {.name = "lp_normalization_simd", .declines = DeclineLpSimd, .run = RunLpSimd},
    {.name = "lp_normalization", .run = RunLp}};
constexpr Kernel kMeanVariance[] = {{.name = "mean_variance", .run = RunMeanVariance}};

consteval OpDef Lp(int since, std::span<const TypeRule> types) {
  return {.type = "LpNormalization",
          .since = since,
          .signature = "input:T -> output:T",
          .types = types,
          .attributes = "axis:int=-1, p:int=2",
          .infer = InferLp,
          .kernels = kLp};
}

consteval OpDef MeanVariance(int since, std::span<const TypeRule> types) {
  return {.type = "MeanVarianceNormalization",
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .attributes = since < 9 ? "across_channels:int=0, axes:ints, normalize_variance:int=1"
                                  : "axes:ints=[0, 2, 3]",
          .infer = InferMeanVariance,
          .kernels = kMeanVariance};
}

}  // namespace

OpList ops_lp_normalization() {
  static constexpr auto kOps = Versions({
      Lp(1, kT<kFloatTypes>),
      Lp(22, kT<kFloatTypesB>),
      MeanVariance(1, kT<kFloatTypes>),
      MeanVariance(9, kT<kFloatTypes>),
      MeanVariance(13, kT<kFloatTypesB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
