// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: LinearClassifier, LinearRegressor (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html and the other's page.
// What the standard leaves open: one row of coefficients with two labels is the score of the
// second; the first gets 1 - score without a transform (and with PROBIT), else -score.
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/small_room.h"
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

/// Scores of examples; kept from run to run, as models of this kind take less time than reading
/// attributes.
class LinearModel : public Executable {
 public:
  LinearModel(Linear linear, Examples examples, std::int64_t scores, PostTransform transform)
      : linear_(std::move(linear)),
        examples_(examples),
        scores_(At(scores)),
        transform_(transform) {}

  Result<void> Run(KernelContext& context) const override {
    if (examples_.rows == 0) return {};
    SmallRoom<double, kFewFeatures> features(At(examples_.features)), room(scores_);
    const std::span row(features.data(), At(examples_.features));
    const std::span scores(room.data(), scores_);
    Pause pause;
    for (std::int64_t i = 0; i < examples_.rows; ++i) {
      if (pause.MustStop(64 + examples_.features * static_cast<std::int64_t>(scores_))) return {};
      ReadExample(*context.input(0), i, row);
      Scores(linear_, row.data(), examples_.features, scores);
      Store(context, i, scores);
    }
    return {};
  }

 protected:
  PostTransform transform() const { return transform_; }

 private:
  /// Writes the outputs of one example.
  virtual void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const = 0;

  Linear linear_;
  Examples examples_;
  std::size_t scores_;
  PostTransform transform_;
};

void StoreScores(std::span<const double> scores, std::int64_t row, Tensor& to) {
  float* out = to.data<float>().data() + At(row) * scores.size();
  for (const double score : scores) *out++ = static_cast<float>(score);
}

class Classifier final : public LinearModel {
 public:
  Classifier(const NodeFacts& node, Linear linear, Examples examples, ClassLabels labels,
             PostTransform transform, bool binary)
      : LinearModel(std::move(linear), examples, labels.size(), transform),
        labels_(std::move(labels)),
        binary_(binary),
        wants_label_(Wanted(node, 0)),
        wants_scores_(Wanted(node, 1)) {}

 private:
  void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const override {
    const std::int64_t label = Finish(transform(), binary_, scores);
    if (wants_label_) labels_.Store(context.output(0), row, label);
    if (wants_scores_) StoreScores(scores, row, context.output(1));
  }

  ClassLabels labels_;
  bool binary_, wants_label_, wants_scores_;
};

class Regressor final : public LinearModel {
 public:
  using LinearModel::LinearModel;

 private:
  void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const override {
    Transform(transform(), scores);
    StoreScores(scores, row, context.output(0));
  }
};

Result<std::unique_ptr<Executable>> PrepareClassifier(const NodeFacts& node, DeviceContext&) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  ClassLabels labels = TRY(LabelsOf(node));
  const PostTransform transform = TRY(PostTransformOf(node));
  const bool binary = IsBinary(node, labels, examples.features);
  Linear linear = TRY(LinearOf(node, binary ? 1 : labels.size(), examples.features));
  return std::unique_ptr<Executable>(
      new Classifier(node, std::move(linear), examples, std::move(labels), transform, binary));
}

Result<Facts> InferRegressor(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t targets = node.attributes.Int("targets", 1);
  if (targets < 1) return Invalid("attribute `targets` is ", targets);
  TRY(PostTransformOf(node));
  TRY(LinearOf(node, targets, examples.features));
  return Facts{TensorFacts(DType::kFloat32, {examples.rows, targets})};
}

Result<std::unique_ptr<Executable>> PrepareRegressor(const NodeFacts& node, DeviceContext&) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t targets = node.attributes.Int("targets", 1);
  const PostTransform transform = TRY(PostTransformOf(node));
  Linear linear = TRY(LinearOf(node, targets, examples.features));
  return std::unique_ptr<Executable>(
      new Regressor(std::move(linear), examples, targets, transform));
}

constexpr Kernel kClassifier[] = {
    {.name = "linear_classifier_reference", .prepare = PrepareClassifier}};
constexpr Kernel kRegressor[] = {
    {.name = "linear_regressor_reference", .prepare = PrepareRegressor}};

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
