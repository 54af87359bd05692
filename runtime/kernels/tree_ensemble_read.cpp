// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/tree_ensemble.h"

namespace slipway::runtime {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr std::int64_t kMaxFeature = std::int64_t{1} << 31;

/// List attribute `name`, which must have `count` entries.
Result<Ints> IntsOfLength(const NodeFacts& node, std::string_view name, std::size_t count) {
  Ints list = node.attributes.Ints(name, {});
  if (list.size() == count) return list;
  return Invalid("attribute `", name, "` has ", list.size(), " entries where ", count,
                 " are asked for");
}

/// The same, or all zero where it is not there.
Result<Ints> IntsOrZeros(const NodeFacts& node, std::string_view name, std::size_t count) {
  if (node.attributes.Ints(name, {}).empty()) return Ints(count, 0);
  return IntsOfLength(node, name, count);
}

/// Numbers of a list of floats, or of the tensor `<name>_as_tensor`.
Result<Doubles> NumbersOf(const NodeFacts& node, const std::string& name) {
  if (const Tensor* tensor = node.attributes.TensorOrNull(name + "_as_tensor")) {
    return DoublesOf(tensor);
  }
  const auto list = node.attributes.Floats(name);
  return Doubles(list.begin(), list.end());
}

Result<Doubles> NumbersOfLength(const NodeFacts& node, const std::string& name, std::size_t count) {
  Doubles list = TRY(NumbersOf(node, name));
  if (list.size() == count) return list;
  return Invalid("attribute `", name, "` has ", list.size(), " entries where ", count,
                 " are asked for");
}

/// Elements of a tensor attribute that the operator requires to be `count` long.
Result<Doubles> TensorOfLength(const NodeFacts& node, std::string_view name, std::size_t count) {
  const Tensor* tensor = node.attributes.TensorOrNull(name);
  if (tensor == nullptr) return Invalid("attribute `", name, "` is missing");
  Doubles list = DoublesOf(tensor);
  if (list.size() == count) return list;
  return Invalid("attribute `", name, "` has ", list.size(), " entries where ", count,
                 " are asked for");
}

Result<std::int64_t> FeatureOf(std::int64_t feature) {
  if (feature >= 0 && feature < kMaxFeature) return feature;
  return Invalid("attribute `nodes_featureids` names feature ", feature);
}

/// Where each (tree, node) of the older operators is in their lists.
class NodeIndex {
 public:
  static Result<NodeIndex> Make(const Ints& trees, const Ints& nodes) {
    NodeIndex index;
    for (std::size_t i = 0; i < trees.size(); ++i) {
      index.items_.push_back({trees[i], nodes[i], static_cast<std::int64_t>(i)});
    }
    std::ranges::sort(index.items_);
    for (std::size_t i = 1; i < index.items_.size(); ++i) {
      const auto& [tree, id, at] = index.items_[i];
      if (tree == index.items_[i - 1][0] && id == index.items_[i - 1][1]) {
        return Invalid("node ", id, " of tree ", tree, " is there twice");
      }
    }
    return index;
  }

  Result<std::int64_t> At(std::int64_t tree, std::int64_t id) const {
    const std::array<std::int64_t, 3> wanted{tree, id, -1};
    const auto found = std::ranges::lower_bound(items_, wanted);
    if (found != items_.end() && (*found)[0] == tree && (*found)[1] == id) return (*found)[2];
    return Invalid("tree ", tree, " has no node ", id);
  }

 private:
  CountedVector<std::array<std::int64_t, 3>> items_;
};

/// No node is reached twice from the roots: no cycles, and no branch that two trees share.
/// Leaves may be shared.
Result<void> CheckTrees(const Forest& forest) {
  std::vector<bool> seen(forest.nodes.size(), false);
  std::vector<std::int64_t> open;
  for (const std::int64_t root : forest.roots) {
    open.assign(1, root);
    while (!open.empty()) {
      const std::int64_t at = open.back();
      open.pop_back();
      const TreeNode& node = forest.nodes[At(at)];
      if (node.leaf) continue;
      if (seen[At(at)]) return Invalid("a tree reaches entry ", at, " of the nodes twice");
      seen[At(at)] = true;
      open.push_back(node.when_true);
      open.push_back(node.when_false);
    }
  }
  return {};
}

Result<BranchMode> ModeNamed(std::string_view name) {
  constexpr std::string_view kNames[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                         "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<BranchMode>(i);
  }
  return Invalid("attribute `nodes_modes` names `", name, "`");
}

/// Branches and leaves of the lists `nodes_*`, and the parent of each, or -1.
Result<Ints> AddNodes(const NodeFacts& node, const Ints& trees, const NodeIndex& index,
                      Forest& forest) {
  const std::size_t count = trees.size();
  const Ints features = TRY(IntsOfLength(node, "nodes_featureids", count));
  const Ints when_true = TRY(IntsOfLength(node, "nodes_truenodeids", count));
  const Ints when_false = TRY(IntsOfLength(node, "nodes_falsenodeids", count));
  const Ints missing = TRY(IntsOrZeros(node, "nodes_missing_value_tracks_true", count));
  const Doubles values = TRY(NumbersOfLength(node, "nodes_values", count));
  const auto modes = node.attributes.Strings("nodes_modes");
  if (modes.size() != count) {
    return Invalid("attribute `nodes_modes` has ", modes.size(), " entries where ", count,
                   " are asked for");
  }
  Ints parents(count, -1);
  for (std::size_t i = 0; i < count; ++i) {
    TreeNode& made = forest.nodes.emplace_back();
    made.leaf = modes[i] == "LEAF";
    if (made.leaf) continue;
    made.mode = TRY(ModeNamed(modes[i]));
    made.missing_is_true = missing[i] != 0;
    made.feature = TRY(FeatureOf(features[i]));
    made.threshold = values[i];
    made.when_true = TRY(index.At(trees[i], when_true[i]));
    made.when_false = TRY(index.At(trees[i], when_false[i]));
    parents[At(made.when_true)] = parents[At(made.when_false)] = static_cast<std::int64_t>(i);
  }
  return parents;
}

/// The weights of leaves, from the lists `<prefix>_treeids`, `_nodeids`, `_ids` and `_weights`.
Result<void> AddWeights(const NodeFacts& node, const std::string& prefix, const NodeIndex& index,
                        Forest& forest) {
  const Ints trees = node.attributes.Ints(prefix + "_treeids", {});
  const Ints nodes = TRY(IntsOfLength(node, prefix + "_nodeids", trees.size()));
  const Ints targets = TRY(IntsOfLength(node, prefix + "_ids", trees.size()));
  const Doubles weights = TRY(NumbersOfLength(node, prefix + "_weights", trees.size()));
  CountedVector<std::pair<std::int64_t, LeafWeight>> placed;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    if (targets[i] < 0 || targets[i] >= forest.targets) {
      return Invalid("attribute `", prefix, "_ids` names ", targets[i], " of ", forest.targets);
    }
    const std::int64_t at = TRY(index.At(trees[i], nodes[i]));
    if (forest.nodes[At(at)].leaf) placed.push_back({at, {targets[i], weights[i]}});
  }
  std::ranges::stable_sort(placed, {}, [](const auto& entry) { return entry.first; });
  for (const auto& [at, weight] : placed) {
    TreeNode& leaf = forest.nodes[At(at)];
    if (leaf.first == leaf.last) leaf.first = static_cast<std::int64_t>(forest.weights.size());
    forest.weights.push_back(weight);
    leaf.last = static_cast<std::int64_t>(forest.weights.size());
  }
  return {};
}

Result<TreeAggregate> AggregateOf(std::string_view name) {
  if (name == "AVERAGE") return TreeAggregate::kAverage;
  if (name == "SUM") return TreeAggregate::kSum;
  if (name == "MIN") return TreeAggregate::kMin;
  if (name == "MAX") return TreeAggregate::kMax;
  return Invalid("attribute `aggregate_function` is `", name, "`");
}

/// The root of a tree is above the first of its nodes in the lists; most often it is that node.
Result<void> AddRoots(const Ints& trees, const Ints& parents, Forest& forest) {
  std::unordered_set<std::int64_t> seen;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    if (!seen.insert(trees[i]).second) continue;
    auto root = static_cast<std::int64_t>(i);
    for (std::size_t steps = 0; parents[At(root)] >= 0; ++steps) {
      if (steps > trees.size()) return Invalid("tree ", trees[i], " has no root: it has a cycle");
      root = parents[At(root)];
    }
    forest.roots.push_back(root);
  }
  return {};
}

/// TreeEnsembleClassifier and TreeEnsembleRegressor.
Result<void> ReadOlder(const NodeFacts& node, Forest& forest) {
  const bool classifier = node.op->type == "TreeEnsembleClassifier";
  if (classifier) {
    forest.targets = TRY(ClassLabelsOf(node, "classlabels_strings", "classlabels_int64s")).size();
  } else {
    forest.targets = node.attributes.Int("n_targets", 1);
    forest.aggregate = TRY(AggregateOf(node.attributes.String("aggregate_function", "SUM")));
  }
  const Ints trees = node.attributes.Ints("nodes_treeids", {});
  const Ints ids = TRY(IntsOfLength(node, "nodes_nodeids", trees.size()));
  const NodeIndex index = TRY(NodeIndex::Make(trees, ids));
  const Ints parents = TRY(AddNodes(node, trees, index, forest));
  TRY(AddWeights(node, classifier ? "class" : "target", index, forest));
  forest.base_values = TRY(NumbersOf(node, "base_values"));
  return AddRoots(trees, parents, forest);
}

/// Sets of `membership_values`, which NaN ends, for as many nodes as test membership.
Result<void> ReadSets(const NodeFacts& node, std::int64_t wanted, Forest& forest) {
  const Tensor* tensor = node.attributes.TensorOrNull("membership_values");
  Doubles set;
  for (const double value : tensor == nullptr ? Doubles() : DoublesOf(tensor)) {
    if (std::isnan(value)) {
      forest.sets.push_back(std::exchange(set, {}));
    } else {
      set.push_back(value);
    }
  }
  if (!set.empty()) forest.sets.push_back(std::move(set));
  for (Doubles& members : forest.sets) std::ranges::sort(members);
  if (static_cast<std::int64_t>(forest.sets.size()) == wanted) return {};
  return Invalid("attribute `membership_values` has ", forest.sets.size(), " sets for ", wanted,
                 " nodes that test membership");
}

/// Index of a child in Forest::nodes, where the leaves follow the branches.
Result<std::int64_t> ChildOf(std::int64_t id, bool leaf, std::size_t branches, std::size_t leaves) {
  const std::size_t count = leaf ? leaves : branches;
  if (id < 0 || id >= static_cast<std::int64_t>(count)) {
    return Invalid("child ", id, " out of range [0, ", count, ") of the ",
                   leaf ? "leaves" : "nodes");
  }
  return leaf ? id + static_cast<std::int64_t>(branches) : id;
}

Result<void> AddBranches(const NodeFacts& node, std::size_t count, std::size_t leaves,
                         Forest& forest) {
  const Ints features = node.attributes.Ints("nodes_featureids", {});
  const Ints when_true = TRY(IntsOfLength(node, "nodes_truenodeids", count));
  const Ints when_false = TRY(IntsOfLength(node, "nodes_falsenodeids", count));
  const Ints true_leaf = TRY(IntsOfLength(node, "nodes_trueleafs", count));
  const Ints false_leaf = TRY(IntsOfLength(node, "nodes_falseleafs", count));
  const Ints missing = TRY(IntsOrZeros(node, "nodes_missing_value_tracks_true", count));
  const Doubles splits = TRY(TensorOfLength(node, "nodes_splits", count));
  const Doubles modes = TRY(TensorOfLength(node, "nodes_modes", count));
  std::int64_t members = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(modes[i] >= 0 && modes[i] <= 6)) {
      return Invalid("attribute `nodes_modes` has ", static_cast<std::int64_t>(modes[i]));
    }
    TreeNode& made = forest.nodes.emplace_back();
    made.mode = static_cast<BranchMode>(static_cast<int>(modes[i]));
    made.missing_is_true = missing[i] != 0;
    made.feature = TRY(FeatureOf(features[i]));
    made.threshold = splits[i];
    made.when_true = TRY(ChildOf(when_true[i], true_leaf[i] != 0, count, leaves));
    made.when_false = TRY(ChildOf(when_false[i], false_leaf[i] != 0, count, leaves));
    if (made.mode == BranchMode::kMember) made.set = members++;
  }
  return ReadSets(node, members, forest);
}

/// TreeEnsemble.
Result<void> ReadNewer(const NodeFacts& node, Forest& forest) {
  forest.targets = node.attributes.Int("n_targets", 1);
  const std::int64_t aggregate = node.attributes.Int("aggregate_function", 1);
  if (aggregate < 0 || aggregate > 3) {
    return Invalid("attribute `aggregate_function` is ", aggregate);
  }
  forest.aggregate = static_cast<TreeAggregate>(aggregate);
  const std::size_t count = node.attributes.Ints("nodes_featureids", {}).size();
  const Ints targets = node.attributes.Ints("leaf_targetids", {});
  const Doubles weights = TRY(TensorOfLength(node, "leaf_weights", targets.size()));
  TRY(AddBranches(node, count, targets.size(), forest));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] < 0 || targets[i] >= forest.targets) {
      return Invalid("attribute `leaf_targetids` names ", targets[i], " of ", forest.targets);
    }
    const auto at = static_cast<std::int64_t>(i);
    forest.nodes.push_back({.leaf = true, .first = at, .last = at + 1});
    forest.weights.push_back({targets[i], weights[i]});
  }
  for (const std::int64_t root : node.attributes.Ints("tree_roots", {})) {
    forest.roots.push_back(TRY(ChildOf(root, false, count, 0)));
  }
  return {};
}

}  // namespace

Result<Forest> ForestOf(const NodeFacts& node) {
  Forest forest;
  TRY(node.op->type == "TreeEnsemble" ? ReadNewer(node, forest) : ReadOlder(node, forest));
  if (forest.targets < 1) return Invalid("attribute `n_targets` is ", forest.targets);
  TRY(CheckTrees(forest));
  for (const TreeNode& made : forest.nodes) {
    if (!made.leaf) forest.features = std::max(forest.features, made.feature + 1);
  }
  const auto bases = static_cast<std::int64_t>(forest.base_values.size());
  const bool binary = node.op->type == "TreeEnsembleClassifier" && forest.targets == 2;
  if (bases != 0 && bases != forest.targets && !(binary && bases == 1)) {
    return Invalid("attribute `base_values` has ", bases, " entries for ", forest.targets,
                   " targets");
  }
  return forest;
}

}  // namespace slipway::runtime
