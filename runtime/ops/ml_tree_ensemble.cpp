// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: TreeEnsembleClassifier, TreeEnsembleRegressor (1, 3, 5), TreeEnsemble (5).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html and the others' pages.
// What the standard leaves open: all weights for class 0 of two classes are a score of class 1;
// class 0 gets 1 - score where no weight is negative, else -score. An example that has not the
// only label gets 0 or "". MIN and MAX of no weight at all is 0.
#include <algorithm>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/small_room.h"
#include "runtime/kernels/tree_ensemble.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kRowGrain = 64;
constexpr std::size_t kFewScores = 64;

Result<PostTransform> TransformOf(const NodeFacts& node) {
  if (node.op->type != "TreeEnsemble") return PostTransformOf(node);
  const std::int64_t number = node.attributes.Int("post_transform", 0);
  if (number < 0 || number > 4) return Invalid("attribute `post_transform` is ", number);
  return static_cast<PostTransform>(number);
}

Result<Examples> CheckedExamples(const NodeFacts& node, const Forest& forest) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  if (examples.features >= forest.features) return examples;
  return Invalid("input of ", node.shape(0), " has no feature ", forest.features - 1,
                 ", which a tree looks at");
}

Result<Facts> InferClassifier(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const ClassLabels labels = TRY(ClassLabelsOf(node, "classlabels_strings", "classlabels_int64s"));
  return OutputFacts(node, {TensorFacts(labels.dtype(), {examples.rows}),
                            TensorFacts(DType::kFloat32, {examples.rows, labels.size()})});
}

Result<Facts> InferRegressor(const NodeFacts& node) {
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  const std::int64_t targets = node.attributes.Int("n_targets", 1);
  if (targets < 1) return Invalid("attribute `n_targets` is ", targets);
  const DType dtype = node.op->type == "TreeEnsemble" ? node.dtype(0) : DType::kFloat32;
  return Facts{TensorFacts(dtype, {examples.rows, targets})};
}

/// How the score of class 1 of two follows from the weights.
struct Binary {
  bool one_score = false;     ///< all weights are for class 0
  bool half_is_even = false;  ///< no weight is negative: 0.5 parts the classes, not 0
  double base = 0;
};

class TreeEnsemble : public Executable {
 public:
  TreeEnsemble(std::unique_ptr<ForestScorer> scorer, Examples examples, std::int64_t targets,
               PostTransform transform)
      : scorer_(std::move(scorer)), examples_(examples), targets_(targets), transform_(transform) {}

  Result<void> Run(KernelContext& context) const override {
    Prepare(context);
    const Tensor& x = *context.input(0);
    context.ParallelFor(examples_.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      SmallRoom<double, kFewScores> scores(At((end - begin) * targets_));
      scorer_->Score(x, begin, end, scores.data());
      for (std::int64_t row = begin; row < end; ++row) {
        Store(context, row, {scores.data() + (row - begin) * targets_, At(targets_)});
      }
    });
    return {};
  }

 protected:
  virtual void Prepare(KernelContext&) const {}
  /// Writes the outputs of one example.
  virtual void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const = 0;
  PostTransform transform() const { return transform_; }

 private:
  std::unique_ptr<ForestScorer> scorer_;
  Examples examples_;
  std::int64_t targets_;
  PostTransform transform_;
};

class Regressor final : public TreeEnsemble {
 public:
  using TreeEnsemble::TreeEnsemble;

 private:
  void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const override {
    Transform(transform(), scores);
    Tensor& y = context.output(0);
    const std::size_t first = At(row) * scores.size();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (y.dtype() == DType::kFloat32) y.data<float>()[first + i] = static_cast<float>(scores[i]);
      if (y.dtype() == DType::kFloat64) y.data<double>()[first + i] = scores[i];
      if (y.dtype() == DType::kFloat16) y.data<Float16>()[first + i] = Float16(scores[i]);
    }
  }
};

class Classifier final : public TreeEnsemble {
 public:
  Classifier(std::unique_ptr<ForestScorer> scorer, Examples examples, PostTransform transform,
             const NodeFacts& node, ClassLabels labels, Binary binary)
      : TreeEnsemble(std::move(scorer), examples, labels.size(), transform),
        labels_(std::move(labels)),
        binary_(binary),
        wants_label_(Wanted(node, 0)),
        wants_scores_(Wanted(node, 1)) {}

 private:
  /// Ties are those of float, in which frameworks add their weights.
  void Store(KernelContext& context, std::int64_t row, std::span<double> scores) const override {
    for (double& score : scores) score = static_cast<double>(static_cast<float>(score));
    const std::int64_t label = Finish(scores);
    if (wants_label_) labels_.Store(context.output(0), row, label);
    if (!wants_scores_) return;
    float* out = context.output(1).data<float>().data() + At(row) * scores.size();
    for (std::size_t i = 0; i < scores.size(); ++i) out[i] = static_cast<float>(scores[i]);
  }

  /// Transforms the scores and gives the index of the label.
  std::int64_t Finish(std::span<double> scores) const {
    const bool logistic = transform() == PostTransform::kLogistic;
    const double even = binary_.half_is_even && !logistic ? 0.5 : 0;
    if (scores.size() == 1) {
      const bool positive = scores[0] > even;
      if (transform() == PostTransform::kProbit) Transform(transform(), scores);
      return positive ? 0 : ClassLabels::kNone;
    }
    if (!binary_.one_score) {
      const std::int64_t largest = LargestOf(scores);
      Transform(transform(), scores);
      return largest;
    }
    const double score = scores[0] + binary_.base;
    const bool plain = transform() == PostTransform::kNone || transform() == PostTransform::kProbit;
    scores[0] = plain && binary_.half_is_even ? 1 - score : -score;
    scores[1] = score;
    Transform(transform(), scores);
    return score > even ? 1 : 0;
  }

  ClassLabels labels_;
  Binary binary_;
  bool wants_label_, wants_scores_;
};

Binary BinaryOf(const Forest& forest) {
  Binary binary;
  const auto& weights = forest.weights;
  binary.half_is_even = std::ranges::all_of(weights, [](const auto& w) { return w.weight >= 0; });
  binary.one_score = forest.targets == 2 && !weights.empty() &&
                     std::ranges::all_of(weights, [](const auto& w) { return w.target == 0; });
  if (forest.targets == 2 && forest.base_values.size() == 1) binary.base = forest.base_values[0];
  return binary;
}

Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, Forest forest, bool packed) {
  const Examples examples = TRY(CheckedExamples(node, forest));
  const PostTransform transform = TRY(TransformOf(node));
  const std::int64_t targets = forest.targets;
  const Binary binary = BinaryOf(forest);
  auto scorer =
      packed ? MakePackedScorer(forest, node.dtype(0)) : MakePlainScorer(std::move(forest));
  std::unique_ptr<Executable> made;
  if (node.op->type == "TreeEnsembleClassifier") {
    made = std::make_unique<Classifier>(
        std::move(scorer), examples, transform, node,
        TRY(ClassLabelsOf(node, "classlabels_strings", "classlabels_int64s")), binary);
  } else {
    made = std::make_unique<Regressor>(std::move(scorer), examples, targets, transform);
  }
  return made;
}

Result<std::unique_ptr<Executable>> PreparePlain(const NodeFacts& node, DeviceContext&) {
  return Make(node, TRY(ForestOf(node)), false);
}

Result<std::unique_ptr<Executable>> PreparePacked(const NodeFacts& node, DeviceContext&) {
  Forest forest = TRY(ForestOf(node));
  std::string why = DeclinePackedScorer(forest);
  if (!why.empty()) return Error{.code = Code::kUnimplemented, .message = std::move(why)};
  return Make(node, std::move(forest), true);
}

constexpr Kernel kKernels[] = {{.name = "trees_packed", .prepare = PreparePacked},
                               {.name = "trees_reference", .prepare = PreparePlain}};

constexpr DTypeSet kFeatures =
    Types({DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32});
constexpr DTypeSet kLabels = Types({DType::kString, DType::kInt64});

constexpr std::string_view kClassifier1 =
    "base_values:floats, class_ids:ints, class_nodeids:ints, class_treeids:ints, "
    "class_weights:floats, classlabels_int64s:ints, classlabels_strings:strings, "
    "nodes_falsenodeids:ints, nodes_featureids:ints, nodes_hitrates:floats, "
    "nodes_missing_value_tracks_true:ints, nodes_modes:strings, nodes_nodeids:ints, "
    "nodes_treeids:ints, nodes_truenodeids:ints, nodes_values:floats, post_transform:string=NONE";
constexpr std::string_view kClassifier3 =
    "base_values:floats, base_values_as_tensor:tensor, class_ids:ints, class_nodeids:ints, "
    "class_treeids:ints, class_weights:floats, class_weights_as_tensor:tensor, "
    "classlabels_int64s:ints, classlabels_strings:strings, nodes_falsenodeids:ints, "
    "nodes_featureids:ints, nodes_hitrates:floats, nodes_hitrates_as_tensor:tensor, "
    "nodes_missing_value_tracks_true:ints, nodes_modes:strings, nodes_nodeids:ints, "
    "nodes_treeids:ints, nodes_truenodeids:ints, nodes_values:floats, "
    "nodes_values_as_tensor:tensor, post_transform:string=NONE";
constexpr std::string_view kRegressor1 =
    "aggregate_function:string=SUM, base_values:floats, n_targets:int, nodes_falsenodeids:ints, "
    "nodes_featureids:ints, nodes_hitrates:floats, nodes_missing_value_tracks_true:ints, "
    "nodes_modes:strings, nodes_nodeids:ints, nodes_treeids:ints, nodes_truenodeids:ints, "
    "nodes_values:floats, post_transform:string=NONE, target_ids:ints, target_nodeids:ints, "
    "target_treeids:ints, target_weights:floats";
constexpr std::string_view kRegressor3 =
    "aggregate_function:string=SUM, base_values:floats, base_values_as_tensor:tensor, "
    "n_targets:int, nodes_falsenodeids:ints, nodes_featureids:ints, nodes_hitrates:floats, "
    "nodes_hitrates_as_tensor:tensor, nodes_missing_value_tracks_true:ints, nodes_modes:strings, "
    "nodes_nodeids:ints, nodes_treeids:ints, nodes_truenodeids:ints, nodes_values:floats, "
    "nodes_values_as_tensor:tensor, post_transform:string=NONE, target_ids:ints, "
    "target_nodeids:ints, target_treeids:ints, target_weights:floats, "
    "target_weights_as_tensor:tensor";
constexpr std::string_view kEnsemble5 =
    "aggregate_function:int=1, leaf_targetids!:ints, leaf_weights!:tensor, "
    "membership_values:tensor, n_targets:int, nodes_falseleafs!:ints, nodes_falsenodeids!:ints, "
    "nodes_featureids!:ints, nodes_hitrates:tensor, nodes_missing_value_tracks_true:ints, "
    "nodes_modes!:tensor, nodes_splits!:tensor, nodes_trueleafs!:ints, nodes_truenodeids!:ints, "
    "post_transform:int=0, tree_roots!:ints";

consteval OpDef ClassifierRow(int since, std::string_view attributes) {
  return {.type = "TreeEnsembleClassifier",
          .domain = "ai.onnx.ml",
          .since = since,
          .signature = "X:T1 -> Y:T2, Z:float",
          .types = kT1T2<kFeatures, kLabels>,
          .attributes = attributes,
          .infer = InferClassifier,
          .kernels = kKernels};
}

consteval OpDef RegressorRow(int since, std::string_view attributes) {
  return {.type = "TreeEnsembleRegressor",
          .domain = "ai.onnx.ml",
          .since = since,
          .signature = "X:T -> Y:float",
          .types = kT<kFeatures>,
          .attributes = attributes,
          .infer = InferRegressor,
          .kernels = kKernels};
}

}  // namespace

OpList ops_ml_tree_ensemble() {
  static constexpr auto kOps = Versions({
      ClassifierRow(1, kClassifier1),
      ClassifierRow(3, kClassifier3),
      RegressorRow(1, kRegressor1),
      RegressorRow(3, kRegressor3),
      OpDef{.type = "TreeEnsemble",
            .domain = "ai.onnx.ml",
            .since = 5,
            .signature = "X:T -> Y:T",
            .types = kT<kFloatTypes>,
            .attributes = kEnsemble5,
            .infer = InferRegressor,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
