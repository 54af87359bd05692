// SPDX-License-Identifier: Apache-2.0
/// Random forests in the packed scorer and the plain one, and descriptions that are no forest.
#include "runtime/kernels/tree_ensemble.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/support/only_target.h"

namespace slipway::runtime {
namespace {

/// The lists of a TreeEnsembleRegressor.
struct Lists {
  std::vector<std::int64_t> trees, ids, features, when_true, when_false, missing;
  std::vector<std::string> modes;
  std::vector<float> values;
  std::vector<std::int64_t> leaf_trees, leaf_ids, targets;
  std::vector<float> weights;
};

class Grower {
 public:
  explicit Grower(std::uint32_t seed) : random_(seed) {}

  Lists Grow(int trees, int depth) {
    for (tree_ = 0; tree_ < trees; ++tree_) {
      next_ = 0;
      Add(depth);
    }
    return lists_;
  }

 private:
  std::int64_t Below(std::int64_t bound) {
    return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random_);
  }

  std::int64_t Add(int depth) {
    const std::int64_t id = next_++;
    const std::size_t at = lists_.ids.size();
    const bool leaf = depth == 0 || Below(6) == 0;
    constexpr const char* kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"};
    lists_.trees.push_back(tree_);
    lists_.ids.push_back(id);
    lists_.features.push_back(leaf ? 0 : Below(4));
    lists_.modes.emplace_back(leaf ? "LEAF" : kModes[Below(4)]);
    lists_.values.push_back(static_cast<float>(Below(9)) / 2 - 2);
    lists_.missing.push_back(Below(2));
    lists_.when_true.push_back(0);
    lists_.when_false.push_back(0);
    if (leaf) {
      for (std::int64_t target = Below(2); target < 2; ++target) {
        lists_.leaf_trees.push_back(tree_);
        lists_.leaf_ids.push_back(id);
        lists_.targets.push_back(target);
        lists_.weights.push_back(static_cast<float>(Below(1000)) / 7 - 50);
      }
      return id;
    }
    const std::int64_t when_true = Add(depth - 1);
    const std::int64_t when_false = Add(depth - 1);
    lists_.when_true[at] = when_true;
    lists_.when_false[at] = when_false;
    return id;
  }

  std::mt19937 random_;
  Lists lists_;
  std::int64_t tree_ = 0, next_ = 0;
};

NodeFacts NodeOf(const Lists& lists) {
  NodeFacts node;
  node.op = FindOp("ai.onnx.ml", "TreeEnsembleRegressor", 1);
  Attributes& attributes = node.attributes;
  attributes.Set("n_targets", std::int64_t{2});
  attributes.Set("nodes_treeids", lists.trees);
  attributes.Set("nodes_nodeids", lists.ids);
  attributes.Set("nodes_featureids", lists.features);
  attributes.Set("nodes_modes", lists.modes);
  attributes.Set("nodes_values", lists.values);
  attributes.Set("nodes_truenodeids", lists.when_true);
  attributes.Set("nodes_falsenodeids", lists.when_false);
  attributes.Set("nodes_missing_value_tracks_true", lists.missing);
  attributes.Set("target_treeids", lists.leaf_trees);
  attributes.Set("target_nodeids", lists.leaf_ids);
  attributes.Set("target_ids", lists.targets);
  attributes.Set("target_weights", lists.weights);
  return node;
}

template <class T>
Tensor Examples(DType dtype, std::int64_t rows, std::uint32_t seed, bool with_nan = true) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::mt19937 random(seed);
  std::vector<T> elements;
  for (std::int64_t i = 0; i < rows * 4; ++i) {
    const double special[] = {kInf, -kInf, with_nan ? std::nan("") : 0.25, -0.0};
    const std::uint32_t draw = random() % 16;
    const double plain = static_cast<double>(random() % 17) / 4 - 2;
    elements.push_back(
        static_cast<T>(draw < 4 && std::is_floating_point_v<T> ? special[draw] : plain));
  }
  return Tensor::FromVector(dtype, {rows, 4}, std::move(elements));
}

void ExpectSame(const Forest& forest, const Tensor& x) {
  const auto plain = MakePlainScorer(forest);
  const auto packed = MakePackedScorer(forest, x.dtype());
  const auto scores = static_cast<std::size_t>(x.dim(0) * forest.targets);
  std::vector<double> expected(scores), actual(scores);
  plain->Score(x, 0, x.dim(0), expected.data());
  packed->Score(x, 0, x.dim(0), actual.data());
  EXPECT_EQ(expected, actual);
}

TEST(TreeEnsemble, PackedAndPlainScorersAgree) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const auto depth = static_cast<int>(seed % 9);
    const auto forest = ForestOf(NodeOf(Grower(seed).Grow(static_cast<int>(seed % 20), depth)));
    ASSERT_TRUE(forest) << forest.error().message;
    if (forest->features == 0) continue;
    EXPECT_EQ(DeclinePackedScorer(*forest), "");
    ExpectSame(*forest, Examples<float>(DType::kFloat32, 71, seed));
    ExpectSame(*forest, Examples<double>(DType::kFloat64, 5, seed));
    ExpectSame(*forest, Examples<std::int64_t>(DType::kInt64, 33, seed));
  }
}

/// Many rows at once and one by one, as many as fill vectors and not, through trees of few leaves
/// and of many, on every instruction set.
TEST(TreeEnsemble, ManyRowsAtOnceAgree) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const test::OnlyTarget only(target);
    for (std::uint32_t seed = 0; seed < 24; ++seed) {
      SCOPED_TRACE(seed);
      Lists lists = Grower(seed).Grow(static_cast<int>(seed) + 1, static_cast<int>(seed % 12));
      const bool one_way = seed % 2 == 0;  // a NaN goes to the same side everywhere
      for (std::size_t i = 0; one_way && i < lists.missing.size(); ++i) {
        lists.missing[i] = lists.modes[i] == "BRANCH_GTE" || lists.modes[i] == "BRANCH_GT" ? 1 : 0;
      }
      const auto forest = ForestOf(NodeOf(lists));
      ASSERT_TRUE(forest) << forest.error().message;
      if (forest->features == 0) continue;
      for (const std::int64_t rows : {3, 4, 15, 16, 17, 32, 40}) {
        ExpectSame(*forest, Examples<float>(DType::kFloat32, rows, seed, one_way));
      }
    }
  }
}

/// A stump: node 0 with the leaves 1 and 2.
Lists Stump() {
  Lists lists;
  lists.trees = {0, 0, 0};
  lists.ids = {0, 1, 2};
  lists.features = {1, 0, 0};
  lists.modes = {"BRANCH_LEQ", "LEAF", "LEAF"};
  lists.values = {0.5F, 0, 0};
  lists.when_true = {1, 0, 0};
  lists.when_false = {2, 0, 0};
  lists.leaf_trees = {0, 0};
  lists.leaf_ids = {1, 2};
  lists.targets = {0, 1};
  lists.weights = {3, 4};
  return lists;
}

std::string WhyNot(const Lists& lists) {
  const auto forest = ForestOf(NodeOf(lists));
  if (forest) return "";
  EXPECT_EQ(forest.error().code, Code::kInvalidArgument);
  return forest.error().message;
}

TEST(TreeEnsemble, RefusesWhatIsNoForest) {
  EXPECT_EQ(WhyNot(Stump()), "");
  const auto refused = [](auto change, std::string_view why) {
    Lists lists = Stump();
    change(lists);
    const std::string said = WhyNot(lists);
    EXPECT_NE(said.find(why), std::string::npos) << "said: " << said;
  };
  refused([](Lists& l) { l.when_true[0] = 0; }, "no root");
  refused([](Lists& l) { l.when_true[0] = 7; }, "tree 0 has no node 7");
  refused([](Lists& l) { l.ids[2] = 1; }, "node 1 of tree 0 is there twice");
  refused([](Lists& l) { l.features[0] = -1; }, "names feature -1");
  refused([](Lists& l) { l.features[0] = std::numeric_limits<std::int64_t>::max(); }, "feature");
  refused([](Lists& l) { l.features.pop_back(); }, "`nodes_featureids` has 2 entries");
  refused([](Lists& l) { l.values.push_back(1); }, "`nodes_values` has 4 entries");
  refused([](Lists& l) { l.modes[0] = "BRANCH_UP"; }, "names `BRANCH_UP`");
  refused([](Lists& l) { l.missing = {1}; }, "`nodes_missing_value_tracks_true` has 1");
  refused([](Lists& l) { l.targets[1] = 2; }, "`target_ids` names 2 of 2");
  refused([](Lists& l) { l.leaf_ids[1] = 9; }, "tree 0 has no node 9");
  refused([](Lists& l) { l.weights.pop_back(); }, "`target_weights` has 1");
}

TEST(TreeEnsemble, RefusesCycles) {
  Lists lists = Stump();
  lists.trees.insert(lists.trees.end(), {0, 0});
  lists.ids.insert(lists.ids.end(), {3, 4});
  lists.features.insert(lists.features.end(), {0, 0});
  lists.modes[1] = "BRANCH_LEQ";
  lists.modes.insert(lists.modes.end(), {"BRANCH_LEQ", "LEAF"});
  lists.values.insert(lists.values.end(), {0, 0});
  lists.when_true = {1, 3, 0, 1, 0};
  lists.when_false = {2, 4, 0, 4, 0};
  EXPECT_NE(WhyNot(lists).find("twice"), std::string::npos) << WhyNot(lists);
}

}  // namespace
}  // namespace slipway::runtime
