// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: LinearClassifier, LinearRegressor (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html and the other's page.
// What the standard leaves open: one row of coefficients with two labels is the score of the
// second; the first gets 1 - score without a transform (and with PROBIT), else -score.
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<ClassLabels> LabelsOf(const NodeFacts& node) {
  return ClassLabelsOf(node, "classlabels_strings", "classlabels_ints");
}

/// Rows of coefficients and their intercepts, or none of these.
struct Linear {
  Doubles coefficients, intercepts;
  std::int64_t rows = 0;
};

Result<Linear> LinearOf(const NodeFacts& node, std::int64_t rows, std::int64_t features) {
  const auto coefficients = node.attributes.Floats("coefficients");
  const auto intercepts = node.attributes.Floats("intercepts");
  Linear linear{.coefficients = {coefficients.begin(), coefficients.end()},
                .intercepts = {intercepts.begin(), intercepts.end()},
                .rows = rows};
  std::int64_t wanted = 0;
  const bool fits = !__builtin_mul_overflow(rows, features, &wanted);
  if (!fits || static_cast<std::int64_t>(coefficients.size()) != wanted) {
    return Invalid("attribute `coefficients` has ", coefficients.size(), " entries where ", rows,
                   " rows of ", features, " are asked for");
  }
  const auto intercepts_given = static_cast<std::int64_t>(linear.intercepts.size());
  if (intercepts_given != 0 && intercepts_given != rows) {
    return Invalid("attribute `intercepts` has ", linear.intercepts.size(), " entries where ", rows,
                   " are asked for");
  }
  return linear;
}

void Scores(const Linear& linear, const double* x, std::int64_t features,
            std::span<double> scores) {
  for (std::int64_t row = 0; row < linear.rows; ++row) {
    double sum = linear.intercepts.empty() ? 0 : linear.intercepts[At(row)];
    const double* coefficients = linear.coefficients.data() + row * features;
    for (std::int64_t f = 0; f < features; ++f) sum += coefficients[f] * x[f];
    scores[At(row)] = sum;
  }
}

/// Two labels and the coefficients of one score.
bool IsBinary(const NodeFacts& node, const ClassLabels& labels, std::int64_t features) {
  return labels.size() == 2 &&
         static_cast<std::int64_t>(node.attributes.Floats("coefficients").size()) == features;
}

Result<Facts> InferClassifier(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const ClassLabels labels = TRY(LabelsOf(node));
  TRY(PostTransformOf(node));
  const bool binary = IsBinary(node, labels, examples.features);
  TRY(LinearOf(node, binary ? 1 : labels.size(), examples.features));
  return OutputFacts(node, {TensorFacts(labels.dtype(), {examples.rows}),
                            TensorFacts(DType::kFloat32, {examples.rows, labels.size()})});
}

/// Index of the label; transforms the scores.
std::int64_t Finish(PostTransform transform, bool binary, std::span<double> scores) {
  std::int64_t label = 0;
  if (binary) {
    const double score = scores[0];
    const bool plain = transform == PostTransform::kNone || transform == PostTransform::kProbit;
    scores[0] = plain ? 1 - score : -score;
    scores[1] = score;
    label = score > 0 ? 1 : 0;
  } else if (scores.size() == 1) {
    label = scores[0] >= 0 ? 0 : ClassLabels::kNone;
  } else {
    label = LargestOf(scores);
  }
  Transform(transform, scores);
  return label;
}

Result<void> RunClassifier(const NodeFacts& node, KernelContext& context) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const ClassLabels labels = TRY(LabelsOf(node));
  const PostTransform transform = TRY(PostTransformOf(node));
  const bool binary = IsBinary(node, labels, examples.features);
  const Linear linear = TRY(LinearOf(node, binary ? 1 : labels.size(), examples.features));
  const Doubles x = DoublesOf(context.input(0));
  Doubles scores(At(labels.size()));
  Pause pause;
  for (std::int64_t row = 0; row < examples.rows; ++row) {
    if (pause.MustStop(64 + examples.features * static_cast<std::int64_t>(scores.size())))
      return {};
    Scores(linear, x.data() + row * examples.features, examples.features, scores);
    const std::int64_t label = Finish(transform, binary, scores);
    if (Wanted(node, 0)) labels.Store(context.output(0), row, label);
    if (!Wanted(node, 1)) continue;
    float* out = context.output(1).data<float>().data() + At(row) * scores.size();
    for (std::size_t i = 0; i < scores.size(); ++i) out[i] = static_cast<float>(scores[i]);
  }
  return {};
}

Result<Facts> InferRegressor(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t targets = node.attributes.Int("targets", 1);
  if (targets < 1) return Invalid("attribute `targets` is ", targets);
  TRY(PostTransformOf(node));
  TRY(LinearOf(node, targets, examples.features));
  return Facts{TensorFacts(DType::kFloat32, {examples.rows, targets})};
}

Result<void> RunRegressor(const NodeFacts& node, KernelContext& context) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t targets = node.attributes.Int("targets", 1);
  const PostTransform transform = TRY(PostTransformOf(node));
  const Linear linear = TRY(LinearOf(node, targets, examples.features));
  const Doubles x = DoublesOf(context.input(0));
  Doubles scores(examples.rows == 0 ? 0 : At(targets));
  float* out = context.output(0).data<float>().data();
  Pause pause;
  for (std::int64_t row = 0; row < examples.rows; ++row) {
    if (pause.MustStop(64 + examples.features * static_cast<std::int64_t>(scores.size())))
      return {};
    Scores(linear, x.data() + row * examples.features, examples.features, scores);
    Transform(transform, scores);
    for (const double score : scores) *out++ = static_cast<float>(score);
  }
  return {};
}

constexpr Kernel kClassifier[] = {{.name = "linear_classifier_reference", .run = RunClassifier}};
constexpr Kernel kRegressor[] = {{.name = "linear_regressor_reference", .run = RunRegressor}};

constexpr DTypeSet kFeatures =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32});
constexpr DTypeSet kLabels = Types({DType::kString, DType::kInt64});

}  // namespace

OpList ops_ml_linear() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "LinearClassifier",
            .domain = "ai.onnx.ml",
            .signature = "X:T1 -> Y:T2, Z:float",
            .types = kT1T2<kFeatures, kLabels>,
            .attributes = "classlabels_ints:ints, classlabels_strings:strings, "
                          "coefficients!:floats, intercepts:floats, multi_class:int=0, "
                          "post_transform:string=NONE",
            .infer = InferClassifier,
            .kernels = kClassifier},
      OpDef{.type = "LinearRegressor",
            .domain = "ai.onnx.ml",
            .signature = "X:T -> Y:float",
            .types = kT<kFeatures>,
            .attributes = "coefficients:floats, intercepts:floats, post_transform:string=NONE, "
                          "targets:int=1",
            .infer = InferRegressor,
            .kernels = kRegressor},
  });
  return kOps;
}

}  // namespace slipway::runtime
