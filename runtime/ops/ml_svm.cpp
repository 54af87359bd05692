// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: SVMClassifier, SVMRegressor (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html and the other's page; the
// meaning of the attributes is that of libsvm, https://www.csie.ntu.edu.tw/~cjlin/papers/libsvm.pdf
// (decision by pairs, and probabilities by pairwise coupling, its section 8).
// What the standard leaves open: without probabilities, two classes get the scores -s and s of
// their one decision s, and more classes those of the pairs (0, 1), (0, 2), ... (1, 2), ...
#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/vectors_near_simd.h"

namespace slipway::runtime {
namespace {

Doubles ListOf(const NodeFacts& node, std::string_view name) {
  const auto list = node.attributes.Floats(name);
  return Doubles(list.begin(), list.end());
}

Result<void> WantLength(std::string_view name, std::size_t have, std::int64_t want) {
  if (static_cast<std::int64_t>(have) == want) return {};
  return Invalid("attribute `", name, "` has ", have, " entries where ", want, " are asked for");
}

class KernelFunction {
 public:
  static Result<KernelFunction> Of(const NodeFacts& node) {
    KernelFunction made;
    const std::string_view name = node.attributes.String("kernel_type", "LINEAR");
    constexpr std::string_view kNames[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const auto found = std::ranges::find(kNames, name);
    if (found == std::end(kNames)) return Invalid("attribute `kernel_type` is `", name, "`");
    made.kind_ = static_cast<Kind>(found - std::begin(kNames));
    const auto params = node.attributes.Floats("kernel_params");
    if (!params.empty() && params.size() != 3) {
      return Invalid("attribute `kernel_params` has ", params.size(), " entries, not 3");
    }
    if (params.size() == 3) {
      made.gamma_ = static_cast<double>(params[0]);
      made.coef0_ = static_cast<double>(params[1]);
      made.degree_ = static_cast<double>(params[2]);
    }
    return made;
  }

  /// Of an example and every vector.
  void Near(const double* x, const VectorColumns& vectors, Doubles& near) const {
    if (kind_ == Kind::kRbf) return RadialBasis(vectors, x, -gamma_, near.data());
    Products(vectors, x, near.data());
    if (kind_ == Kind::kLinear) return;
    for (double& sum : near) {
      const double scaled = gamma_ * sum + coef0_;
      sum = kind_ == Kind::kPoly ? std::pow(scaled, degree_) : std::tanh(scaled);
    }
  }

 private:
  enum class Kind : std::uint8_t { kLinear, kPoly, kRbf, kSigmoid };
  Kind kind_ = Kind::kLinear;
  double gamma_ = 0, coef0_ = 0, degree_ = 0;
};

double Dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// Examples that are worth a thread's beginning, where each meets so many vectors.
std::int64_t GrainOf(std::int64_t vectors, std::int64_t features) {
  constexpr double kWork = 1 << 18, kOfFunction = 16, kOfExample = 1 << 10;
  const double work =
      kOfExample + static_cast<double>(vectors) * (static_cast<double>(features) + kOfFunction);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(kWork / work));
}

/// Support vectors, as VectorColumns has them.
class Supports {
 public:
  Supports() = default;
  Supports(std::span<const float> vectors, std::int64_t rows, std::int64_t features)
      : features_(features), padded_((rows + kNearPad - 1) / kNearPad * kNearPad) {
    const std::size_t count = At(rows), width = At(features);
    columns_.assign(At(padded_) * width, 0.0);
    for (std::size_t v = 0; v < count; ++v) {
      for (std::size_t f = 0; f < width; ++f) {
        columns_[f * At(padded_) + v] = static_cast<double>(vectors[v * width + f]);
      }
    }
  }
  VectorColumns columns() const {
    return {.columns = columns_.data(), .features = features_, .count = padded_};
  }
  /// As many numbers as Near gives: those after the last vector's mean nothing.
  Doubles Room() const { return Doubles(At(padded_)); }

 private:
  std::int64_t features_ = 0, padded_ = 0;
  Doubles columns_;
};

/// A classifier, checked. Without support vectors it is linear, with a row of coefficients per
/// class.
struct Classifier {
  KernelFunction kernel;
  ClassLabels labels;
  PostTransform transform = PostTransform::kNone;
  std::vector<std::int64_t> per_class, starts;
  Supports supports;
  Doubles coefficients, rho, prob_a, prob_b;
  std::int64_t features = 0, total = 0;

  std::int64_t classes() const { return labels.size(); }
  std::int64_t pairs() const { return classes() * (classes() - 1) / 2; }
  bool linear() const { return per_class.empty(); }
  bool probable() const { return !prob_a.empty() && !linear(); }
  /// Columns of the scores.
  std::int64_t width() const {
    return linear() || probable() || classes() <= 2 ? classes() : pairs();
  }
};

Result<void> ReadVectors(const NodeFacts& node, Classifier& svm) {
  constexpr std::int64_t kMostClasses = 1 << 16;
  if (svm.classes() > kMostClasses) return Invalid(svm.classes(), " classes are too many");
  TRY(WantLength("vectors_per_class", svm.per_class.size(), svm.classes()));
  for (const std::int64_t count : svm.per_class) {
    if (count < 0) return Invalid("attribute `vectors_per_class` has ", count);
    svm.starts.push_back(svm.total);
    if (__builtin_add_overflow(svm.total, count, &svm.total)) {
      return Invalid("attribute `vectors_per_class` counts too many vectors");
    }
  }
  if (svm.features == 0) return Invalid("examples without features");
  const std::int64_t elements = TRY(ElementCount({svm.total, svm.features}));
  TRY(WantLength("support_vectors", node.attributes.Floats("support_vectors").size(), elements));
  svm.supports = Supports(node.attributes.Floats("support_vectors"), svm.total, svm.features);
  const std::int64_t weights = TRY(ElementCount({svm.classes() - 1, svm.total}));
  TRY(WantLength("coefficients", svm.coefficients.size(), weights));
  TRY(WantLength("rho", svm.rho.size(), svm.pairs()));
  if (svm.prob_a.empty() && svm.prob_b.empty()) return {};
  TRY(WantLength("prob_a", svm.prob_a.size(), svm.pairs()));
  return WantLength("prob_b", svm.prob_b.size(), svm.pairs());
}

Result<Classifier> ClassifierOf(const NodeFacts& node) {
  Classifier svm;
  svm.kernel = TRY(KernelFunction::Of(node));
  svm.labels = TRY(ClassLabelsOf(node, "classlabels_strings", "classlabels_ints"));
  svm.transform = TRY(PostTransformOf(node));
  svm.features = TRY(ExamplesOf(node.shape(0))).features;
  svm.per_class = node.attributes.Ints("vectors_per_class", {});
  svm.coefficients = ListOf(node, "coefficients");
  svm.rho = ListOf(node, "rho");
  svm.prob_a = ListOf(node, "prob_a");
  svm.prob_b = ListOf(node, "prob_b");
  if (!svm.linear()) {
    TRY(ReadVectors(node, svm));
    return svm;
  }
  const std::int64_t weights = TRY(ElementCount({svm.classes(), svm.features}));
  TRY(WantLength("coefficients", svm.coefficients.size(), weights));
  if (svm.rho.empty()) return Invalid("attribute `rho` is missing");
  return svm;
}

/// Decisions of the pairs of classes, and how many of them each class won.
void Decide(const Classifier& svm, const double* x, Doubles& decisions, Doubles& votes) {
  Doubles near = svm.supports.Room();
  svm.kernel.Near(x, svm.supports.columns(), near);
  decisions.clear();
  votes.assign(At(svm.classes()), 0.0);
  for (std::int64_t i = 0; i < svm.classes(); ++i) {
    for (std::int64_t j = i + 1; j < svm.classes(); ++j) {
      const std::int64_t from_i = svm.starts[At(i)];
      const std::int64_t from_j = svm.starts[At(j)];
      const double decision = svm.rho[decisions.size()] +
                              Dot(svm.coefficients.data() + (j - 1) * svm.total + from_i,
                                  near.data() + from_i, svm.per_class[At(i)]) +
                              Dot(svm.coefficients.data() + i * svm.total + from_j,
                                  near.data() + from_j, svm.per_class[At(j)]);
      decisions.push_back(decision);
      votes[At(decision > 0 ? i : j)] += 1;
    }
  }
}

/// Probabilities of k classes from those of their pairs, r[i * k + j] that of i against j: the
/// second method of Wu, Lin and Weng, as libsvm iterates it.
Doubles Couple(const Doubles& r, std::size_t k) {
  Doubles q(k * k, 0.0), p(k, 1.0 / static_cast<double>(k)), qp(k);
  for (std::size_t t = 0; t < k; ++t) {
    for (std::size_t j = 0; j < k; ++j) {
      if (j == t) continue;
      q[t * k + t] += r[j * k + t] * r[j * k + t];
      q[t * k + j] = -r[j * k + t] * r[t * k + j];
    }
  }
  const std::size_t most = std::max<std::size_t>(100, k);
  for (std::size_t iteration = 0; iteration < most; ++iteration) {
    double pqp = 0;
    for (std::size_t t = 0; t < k; ++t) {
      qp[t] = 0;
      for (std::size_t j = 0; j < k; ++j) qp[t] += q[t * k + j] * p[j];
      pqp += p[t] * qp[t];
    }
    double error = 0;
    for (const double value : qp) error = std::max(error, std::abs(value - pqp));
    if (error < 0.005 / static_cast<double>(k)) break;
    for (std::size_t t = 0; t < k; ++t) {
      const double step = (pqp - qp[t]) / q[t * k + t];
      p[t] += step;
      pqp = (pqp + step * (step * q[t * k + t] + 2 * qp[t])) / (1 + step) / (1 + step);
      for (std::size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + step * q[t * k + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
  return p;
}

Doubles Probabilities(const Classifier& svm, const Doubles& decisions) {
  constexpr double kLeast = 1e-7;
  const std::size_t k = At(svm.classes());
  Doubles r(k * k, 0.0);
  std::size_t pair = 0;
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = i + 1; j < k; ++j, ++pair) {
      const double first = 1 - Logistic(svm.prob_a[pair] * decisions[pair] + svm.prob_b[pair]);
      r[i * k + j] = std::clamp(first, kLeast, 1 - kLeast);
      r[j * k + i] = 1 - r[i * k + j];
    }
  }
  return Couple(r, k);
}

/// Transformed scores of one example, and the index of its label.
std::int64_t Score(const Classifier& svm, const double* x, Doubles& scores) {
  std::int64_t label = 0;
  if (svm.linear()) {
    scores.clear();
    for (std::int64_t c = 0; c < svm.classes(); ++c) {
      const double* coefficients = svm.coefficients.data() + c * svm.features;
      scores.push_back(svm.rho[0] + Dot(x, coefficients, svm.features));
    }
    label = LargestOf(scores);
    if (scores.size() == 1 && !(scores[0] > 0)) label = ClassLabels::kNone;
  } else {
    Doubles votes;
    Decide(svm, x, scores, votes);
    label = LargestOf(votes);
    if (svm.probable()) {
      scores = Probabilities(svm, scores);
    } else if (svm.classes() == 2) {
      scores.insert(scores.begin(), -scores[0]);
    } else if (svm.classes() == 1) {
      scores.assign(1, 1.0);
    }
  }
  Transform(svm.transform, scores);
  return label;
}

Result<Facts> InferClassifier(const NodeFacts& node) {
  const Classifier svm = TRY(ClassifierOf(node));
  const std::int64_t rows = TRY(ExamplesOf(node.shape(0))).rows;
  return OutputFacts(node, {TensorFacts(svm.labels.dtype(), {rows}),
                            TensorFacts(DType::kFloat32, {rows, svm.width()})});
}

class ClassifierRun final : public Executable {
 public:
  ClassifierRun(const NodeFacts& node, Classifier svm, Examples examples)
      : svm_(std::move(svm)),
        examples_(examples),
        wants_label_(Wanted(node, 0)),
        wants_scores_(Wanted(node, 1)) {}

  Result<void> Run(KernelContext& context) const override {
    const Doubles x = DoublesOf(context.input(0));
    const std::int64_t grain = GrainOf(svm_.linear() ? svm_.classes() : svm_.total, svm_.features);
    context.ParallelFor(examples_.rows, grain, [&](std::int64_t begin, std::int64_t end) {
      Doubles scores;
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t label = Score(svm_, x.data() + row * examples_.features, scores);
        if (wants_label_) svm_.labels.Store(context.output(0), row, label);
        if (!wants_scores_) continue;
        float* out = context.output(1).data<float>().data() + At(row) * scores.size();
        for (std::size_t i = 0; i < scores.size(); ++i) out[i] = static_cast<float>(scores[i]);
      }
    });
    return {};
  }

 private:
  Classifier svm_;
  Examples examples_;
  bool wants_label_, wants_scores_;
};

Result<std::unique_ptr<Executable>> PrepareClassifier(const NodeFacts& node, DeviceContext&) {
  Classifier svm = TRY(ClassifierOf(node));
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  return std::unique_ptr<Executable>(
      std::make_unique<ClassifierRun>(node, std::move(svm), examples));
}

Result<Facts> InferRegressor(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t supports = node.attributes.Int("n_supports", 0);
  if (supports < 0) return Invalid("attribute `n_supports` is ", supports);
  const std::int64_t rows = supports == 0 ? examples.features : supports;
  TRY(WantLength("coefficients", node.attributes.Floats("coefficients").size(), rows));
  if (node.attributes.Floats("rho").empty()) return Invalid("attribute `rho` is missing");
  if (supports > 0) {
    const std::int64_t elements = TRY(ElementCount({supports, examples.features}));
    TRY(WantLength("support_vectors", node.attributes.Floats("support_vectors").size(), elements));
  }
  TRY(KernelFunction::Of(node));
  TRY(PostTransformOf(node));
  return Facts{TensorFacts(DType::kFloat32, {examples.rows, 1})};
}

Result<void> RunRegressor(const NodeFacts& node, KernelContext& context) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const KernelFunction kernel = TRY(KernelFunction::Of(node));
  const PostTransform transform = TRY(PostTransformOf(node));
  const Doubles coefficients = ListOf(node, "coefficients");
  const auto rho = static_cast<double>(node.attributes.Floats("rho")[0]);
  const std::int64_t supports = node.attributes.Int("n_supports", 0);
  const Supports vectors(node.attributes.Floats("support_vectors"), supports, examples.features);
  const bool one_class = node.attributes.Int("one_class", 0) != 0;
  const Doubles x = DoublesOf(context.input(0));
  float* out = context.output(0).data<float>().data();
  const std::int64_t grain = GrainOf(std::max<std::int64_t>(1, supports), examples.features);
  context.ParallelFor(examples.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    Doubles near = vectors.Room();
    for (std::int64_t row = begin; row < end; ++row) {
      const double* features = x.data() + row * examples.features;
      double sum = rho;
      if (supports == 0) sum += Dot(features, coefficients.data(), examples.features);
      kernel.Near(features, vectors.columns(), near);
      for (std::int64_t v = 0; v < supports; ++v) sum += coefficients[At(v)] * near[At(v)];
      if (one_class) sum = sum > 0 ? 1 : -1;
      Transform(transform, {&sum, 1});
      out[row] = static_cast<float>(sum);
    }
  });
  return {};
}

constexpr Kernel kClassifier[] = {
    {.name = "svm_classifier_reference", .prepare = PrepareClassifier}};
constexpr Kernel kRegressor[] = {{.name = "svm_regressor_reference", .run = RunRegressor}};

constexpr DTypeSet kFeatures =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32});
constexpr DTypeSet kLabels = Types({DType::kString, DType::kInt64});

}  // namespace

OpList ops_ml_svm() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "SVMClassifier",
            .domain = "ai.onnx.ml",
            .signature = "X:T1 -> Y:T2, Z:float",
            .types = kT1T2<kFeatures, kLabels>,
            .attributes =
                "classlabels_ints:ints, classlabels_strings:strings, coefficients:floats, "
                "kernel_params:floats, kernel_type:string=LINEAR, post_transform:string=NONE, "
                "prob_a:floats, prob_b:floats, rho:floats, support_vectors:floats, "
                "vectors_per_class:ints",
            .infer = InferClassifier,
            .kernels = kClassifier},
      OpDef{.type = "SVMRegressor",
            .domain = "ai.onnx.ml",
            .signature = "X:T -> Y:float",
            .types = kT<kFeatures>,
            .attributes = "coefficients:floats, kernel_params:floats, kernel_type:string=LINEAR, "
                          "n_supports:int=0, one_class:int=0, post_transform:string=NONE, "
                          "rho:floats, support_vectors:floats",
            .infer = InferRegressor,
            .kernels = kRegressor},
  });
  return kOps;
}

}  // namespace slipway::runtime
