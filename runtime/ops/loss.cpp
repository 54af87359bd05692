// SPDX-License-Identifier: Apache-2.0
// NegativeLogLikelihoodLoss (opsets 12, 13, 22), SoftmaxCrossEntropyLoss (12, 13).
// Spec: https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html,
// onnx__SoftmaxCrossEntropyLoss.html
#include <cmath>
#include <limits>
#include <optional>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum class Reduction : std::uint8_t { kNone, kSum, kMean };

Result<Reduction> ReductionOf(const NodeFacts& node) {
  const std::string_view name = node.attributes.String("reduction", "mean");
  if (name == "none") return Reduction::kNone;
  if (name == "sum") return Reduction::kSum;
  if (name == "mean") return Reduction::kMean;
  return Invalid("attribute `reduction` is `", name, "`, not none, sum or mean");
}

bool IsSoftmax(const NodeFacts& node) { return node.op->type == "SoftmaxCrossEntropyLoss"; }

Result<Facts> Infer(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x.size() < 2) return Invalid("input of ", x, " has no classes");
  Shape target = x;
  target.erase(target.begin() + 1);
  if (node.shape(1) != target) return Invalid("target of ", node.shape(1), " is not ", target);
  if (node.Has(2) && node.shape(2) != Shape{x[1]}) {
    return Invalid("weights of ", node.shape(2), " are not [", x[1], "]");
  }
  const bool none = TRY(ReductionOf(node)) == Reduction::kNone;
  return OutputFacts(
      node, {TensorFacts(node.dtype(0), none ? target : Shape{}), TensorFacts(node.dtype(0), x)});
}

struct Sizes {
  std::int64_t batch, classes, inner;
};

/// log(softmax) along the classes.
void LogSoftmax(const Sizes& s, Doubles& x) {
  for (std::int64_t i = 0; i < s.batch * s.inner; ++i) {
    double* row = x.data() + i / s.inner * s.classes * s.inner + i % s.inner;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t c = 0; c < s.classes; ++c) largest = std::max(largest, row[c * s.inner]);
    double sum = 0;
    for (std::int64_t c = 0; c < s.classes; ++c) sum += std::exp(row[c * s.inner] - largest);
    for (std::int64_t c = 0; c < s.classes; ++c) row[c * s.inner] -= largest + std::log(sum);
  }
}

struct Totals {
  double loss = 0, weight = 0;
};

/// The loss of each element, and their sums; log probabilities in, ignored ones are 0.
Result<Totals> Losses(const NodeFacts& node, const Sizes& s, const Doubles& x,
                      const std::vector<std::int64_t>& target, const Doubles& weights,
                      Doubles& losses) {
  const bool ignores = node.attributes.Has("ignore_index");
  const std::int64_t ignored = node.attributes.Int("ignore_index", 0);
  Totals totals;
  for (std::int64_t i = 0; i < s.batch * s.inner; ++i) {
    const std::int64_t label = target[At(i)];
    if (ignores && label == ignored) continue;
    if (label < 0 || label >= s.classes) {
      return Invalid("target ", label, " out of range [0, ", s.classes, ")");
    }
    const double weight = weights.empty() ? 1 : weights[At(label)];
    const auto at = At((i / s.inner * s.classes + label) * s.inner + i % s.inner);
    losses[At(i)] = -x[at] * weight;
    totals.loss += losses[At(i)];
    totals.weight += weight;
  }
  return totals;
}

template <class T>
Result<void> RunTyped(const NodeFacts& node, KernelContext& context) {
  const Shape& shape = node.shape(0);
  const Sizes sizes{shape[0], shape[1], CountOf(shape, 2, shape.size())};
  Doubles x = DoublesOf(context.input(0));
  if (IsSoftmax(node)) {
    LogSoftmax(sizes, x);
    if (Wanted(node, 1)) {
      auto out = context.output(1).data<T>();
      for (std::size_t i = 0; i < x.size(); ++i) out[i] = static_cast<T>(x[i]);
    }
  }
  Doubles weights;
  if (node.Has(2)) weights = DoublesOf(context.input(2));
  Doubles losses(At(sizes.batch * sizes.inner), 0);
  const Totals totals = TRY(Losses(node, sizes, x, IntsOf(context.input(1)), weights, losses));
  if (!Wanted(node, 0)) return {};
  auto out = context.output(0).data<T>();
  const Reduction reduction = TRY(ReductionOf(node));
  if (reduction == Reduction::kNone) {
    for (std::size_t i = 0; i < losses.size(); ++i) out[i] = static_cast<T>(losses[i]);
  } else {
    const double divisor = reduction == Reduction::kSum ? 1 : totals.weight;
    out[0] = static_cast<T>(totals.loss / divisor);
  }
  return {};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  Result<void> result;
  TRY(Dispatch(FloatList{}, node.dtype(0),
               [&](auto tag) { result = RunTyped<typename decltype(tag)::type>(node, context); }));
  return result;
}

constexpr Kernel kKernels[] = {{.name = "loss_reference", .run = Run}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types) {
  return {.type = type,
          .since = since,
          .signature = type == "SoftmaxCrossEntropyLoss"
                           ? "scores:T, labels:Tind, weights?:T -> output:T, log_prob?:T"
                           : "input:T, target:Tind, weight?:T -> loss:T",
          .types = types,
          .attributes = "ignore_index:int, reduction:string=mean",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_loss() {
  static constexpr auto kOps = Versions({
      Row("NegativeLogLikelihoodLoss", 12, kTTind<kFloatTypes, kIndexTypes>),
      Row("NegativeLogLikelihoodLoss", 13, kTTind<kFloatTypes, kIndexTypes>),
      Row("NegativeLogLikelihoodLoss", 22, kTTind<kFloatTypesB, kIndexTypes>),
      Row("SoftmaxCrossEntropyLoss", 12, kTTind<kFloatTypes, kIndexTypes>),
      Row("SoftmaxCrossEntropyLoss", 13, kTTind<kFloatTypesB, kIndexTypes>),
  });
  return kOps;
}

}  // namespace slipway::runtime
