// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/ml_scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Winitzki's approximation with a = 0.147.
double InverseErf(double x) {
  constexpr double kA = 0.147;
  const double log = std::log((1 - x) * (1 + x));
  const double v = 2 / (std::numbers::pi * kA) + 0.5 * log;
  const double root = std::sqrt(std::sqrt(v * v - log / kA) - v);
  return x < 0 ? -root : root;
}

double Probit(double p) { return std::numbers::sqrt2 * InverseErf(2 * p - 1); }

/// Scores that are zero stay so and take no part where `keep_zeros`.
void Softmax(std::span<double> scores, bool keep_zeros) {
  constexpr double kZero = 1e-7;
  double sum = 0;
  const double largest = *std::ranges::max_element(scores);
  for (double& score : scores) {
    const bool zero = keep_zeros && std::abs(score) <= kZero;
    score = zero ? score * std::exp(-largest) : std::exp(score - largest);
    if (!zero) sum += score;
  }
  for (double& score : scores) {
    if (sum != 0) score /= sum;
  }
}

}  // namespace

Result<Examples> ExamplesOf(const Shape& shape) {
  if (shape.size() == 2) return Examples{shape[0], shape[1]};
  if (shape.size() == 1) return Examples{1, shape[0]};
  return Invalid("input of ", shape, " is neither [N, F] nor [F]");
}

void ReadExample(const Tensor& x, std::int64_t row, std::span<double> to) {
  (void)Dispatch(TypeList<float, double, std::int64_t, std::int32_t>{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = x.data<T>().data() + At(row) * to.size();
    for (double& feature : to) feature = static_cast<double>(*from++);
  });
}

Result<PostTransform> PostTransformOf(std::string_view name) {
  if (name == "NONE") return PostTransform::kNone;
  if (name == "SOFTMAX") return PostTransform::kSoftmax;
  if (name == "LOGISTIC") return PostTransform::kLogistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::kSoftmaxZero;
  if (name == "PROBIT") return PostTransform::kProbit;
  return Invalid("attribute `post_transform` is `", name,
                 "`, not NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
}

Result<PostTransform> PostTransformOf(const NodeFacts& node) {
  return PostTransformOf(node.attributes.String("post_transform", "NONE"));
}

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

void Transform(PostTransform transform, std::span<double> scores) {
  if (scores.empty()) return;
  switch (transform) {
    case PostTransform::kNone:
      return;
    case PostTransform::kLogistic:
      for (double& score : scores) score = Logistic(score);
      return;
    case PostTransform::kProbit:
      for (double& score : scores) score = Probit(score);
      return;
    case PostTransform::kSoftmax:
    case PostTransform::kSoftmaxZero:
      Softmax(scores, transform == PostTransform::kSoftmaxZero);
      return;
  }
}

void ClassLabels::Store(Tensor& to, std::int64_t at, std::int64_t index) const {
  if (are_strings()) {
    to.data<std::string>()[At(at)] = index == kNone ? "" : strings[At(index)];
  } else {
    to.data<std::int64_t>()[At(at)] = index == kNone ? 0 : ints[At(index)];
  }
}

Result<ClassLabels> ClassLabelsOf(const NodeFacts& node, std::string_view strings,
                                  std::string_view ints) {
  ClassLabels labels;
  const auto texts = node.attributes.Strings(strings);
  labels.strings.assign(texts.begin(), texts.end());
  labels.ints = node.attributes.Ints(ints, {});
  if (labels.strings.empty() != labels.ints.empty()) return labels;
  return Invalid("attributes `", strings, "` and `", ints, "`: one of them must be given, not ",
                 labels.ints.empty() ? "none" : "both");
}

std::int64_t LargestOf(std::span<const double> scores) {
  return std::ranges::max_element(scores) - scores.begin();
}

}  // namespace slipway::runtime
