// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/tree_ensemble.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/small_trees.h"

namespace slipway::runtime {
namespace {

using FeatureList =
    TypeList<float, double, Float16, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
             std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, bool>;

/// Calls body(row, features) for rows [begin, end) of X, its elements as V.
template <class V, class Body>
void ForRows(const Tensor& x, std::int64_t begin, std::int64_t end, const Body& body) {
  const std::int64_t width = x.rank() == 0 ? 1 : x.shape().back();
  std::vector<V> row(At(width));
  (void)Dispatch(FeatureList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (std::int64_t r = begin; r < end; ++r) {
      const T* from = x.data<T>().data() + r * width;
      if constexpr (std::is_same_v<T, V>) {
        body(r, from);
      } else {
        for (std::int64_t f = 0; f < width; ++f) {
          row[At(f)] = static_cast<V>(static_cast<Compute<T>>(from[f]));
        }
        body(r, row.data());
      }
    }
  });
}

bool Holds(const Forest& forest, const TreeNode& node, double x) {
  if (std::isnan(x) && node.missing_is_true) return true;
  switch (node.mode) {
    case BranchMode::kLessOrEqual:
      return x <= node.threshold;
    case BranchMode::kLess:
      return x < node.threshold;
    case BranchMode::kGreaterOrEqual:
      return x >= node.threshold;
    case BranchMode::kGreater:
      return x > node.threshold;
    case BranchMode::kEqual:
      return x == node.threshold;
    case BranchMode::kNotEqual:
      return x != node.threshold;
    case BranchMode::kMember:
      return std::ranges::binary_search(forest.sets[At(node.set)], x);
  }
  return false;
}

/// Divides an average and adds the base values.
void Finish(const Forest& forest, std::span<double> scores) {
  if (forest.aggregate == TreeAggregate::kAverage && !forest.roots.empty()) {
    for (double& score : scores) score /= static_cast<double>(forest.roots.size());
  }
  if (forest.base_values.size() != scores.size()) return;
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] += forest.base_values[i];
}

class PlainScorer final : public ForestScorer {
 public:
  explicit PlainScorer(Forest forest) : forest_(std::move(forest)) {}

  void Score(const Tensor& x, std::int64_t begin, std::int64_t end, double* scores) const override {
    ForRows<double>(x, begin, end, [&](std::int64_t row, const double* features) {
      ScoreRow(features, {scores + (row - begin) * forest_.targets, At(forest_.targets)});
    });
  }

 private:
  void ScoreRow(const double* features, std::span<double> scores) const {
    std::ranges::fill(scores, 0.0);
    std::vector<bool> met(scores.size(), false);
    for (const std::int64_t root : forest_.roots) {
      const TreeNode* node = &forest_.nodes[At(root)];
      while (!node->leaf) {
        const bool holds = Holds(forest_, *node, features[node->feature]);
        node = &forest_.nodes[At(holds ? node->when_true : node->when_false)];
      }
      for (std::int64_t i = node->first; i < node->last; ++i) {
        const LeafWeight& leaf = forest_.weights[At(i)];
        const std::size_t target = At(leaf.target);
        Add(leaf.weight, met[target], scores[target]);
        met[target] = true;
      }
    }
    Finish(forest_, scores);
  }

  void Add(double weight, bool met, double& score) const {
    switch (forest_.aggregate) {
      case TreeAggregate::kAverage:
      case TreeAggregate::kSum:
        score += weight;
        return;
      case TreeAggregate::kMin:
        score = met ? std::min(score, weight) : weight;
        return;
      case TreeAggregate::kMax:
        score = met ? std::max(score, weight) : weight;
        return;
    }
  }

  Forest forest_;
};

/// A branch goes to `child` where x <= value, to the next entry where x > value. A NaN goes to the
/// next entry too, or to `child` where the feature has the bit kMissingLeft. A leaf's value is NaN
/// and its way leads back to itself.
template <class V>
struct PackedNode {
  V value = std::numeric_limits<V>::quiet_NaN();
  std::uint32_t feature = 0;
  std::int32_t child = 0;
};

constexpr std::uint32_t kMissingLeft = std::uint32_t{1} << 31;
constexpr std::size_t kLanes = 8;
constexpr std::int64_t kBlockRows = 32;
constexpr int kStepsAtOnce = 4;  ///< before looking whether every lane is at a leaf
constexpr std::int64_t kFewTargets = 8;
/// Rows that are worth asking every branch for, and trees that are worth laying rows out for it.
constexpr std::int64_t kLeastAtOnce = 4;
constexpr std::size_t kLeastTrees = 8;

template <class V>
class PackedScorer final : public ForestScorer {
 public:
  explicit PackedScorer(const Forest& forest) : forest_(forest) {
    missing_left_ = std::ranges::any_of(forest.nodes, [](const TreeNode& node) {
      return !node.leaf && node.missing_is_true != IsSwapped(node);
    });
    one_weight_ = forest.targets == 1 && std::ranges::all_of(forest.nodes, [](const auto& node) {
                    return !node.leaf || node.last - node.first <= 1;
                  });
    for (std::size_t at = 0; at < forest.roots.size(); at += kLanes) {
      Group group;
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const bool is_tree = at + lane < forest.roots.size();
        group.roots[lane] = is_tree ? AddTree(forest.roots[at + lane], group.depth) : AddLeaf();
      }
      groups_.push_back(group);
    }
    if (forest.targets <= kFewTargets && !one_weight_) SpreadWeights();
    if constexpr (std::is_same_v<V, float>) AddSmallTrees();
    forest_.nodes.clear();
  }

  void Score(const Tensor& x, std::int64_t begin, std::int64_t end, double* scores) const override {
    const std::int64_t width = x.shape().back();
    std::vector<V> copies;
    for (std::int64_t at = begin; at < end; at += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, end - at);
      const V* block = nullptr;
      if (x.dtype() == kDTypeOf<V>) {
        block = x.data<V>().data() + at * width;
      } else {
        copies.resize(At(rows * width));
        ForRows<V>(x, at, at + rows, [&](std::int64_t row, const V* features) {
          std::copy_n(features, width, copies.data() + (row - at) * width);
        });
        block = copies.data();
      }
      ScoreBlock(block, rows, width, scores + (at - begin) * forest_.targets);
    }
  }

 private:
  struct Group {
    std::int32_t roots[kLanes] = {};
    int depth = 0;
  };
  struct Range {
    std::int32_t first = 0, last = 0;
  };
  /// A tree's entries.
  struct Entries {
    std::int32_t first = 0, last = 0;
  };

  static bool IsSwapped(const TreeNode& node) {
    return node.mode == BranchMode::kGreater || node.mode == BranchMode::kGreaterOrEqual;
  }

  /// An entry that leads back to itself, without weights.
  std::int32_t AddLeaf() {
    const auto at = static_cast<std::int32_t>(nodes_.size());
    nodes_.push_back({.child = missing_left_ ? at : at - 1});
    leaves_.push_back({});
    weights_.push_back(0);
    return at;
  }

  /// The branch, of which `x <= value` says what it asks, or the contrary where it is swapped.
  PackedNode<V> Packed(const TreeNode& node, std::int32_t child) const {
    const bool strict = node.mode == BranchMode::kLess || node.mode == BranchMode::kGreaterOrEqual;
    const auto threshold = static_cast<V>(node.threshold);
    return {.value =
                strict ? std::nextafter(threshold, -std::numeric_limits<V>::infinity()) : threshold,
            .feature = static_cast<std::uint32_t>(node.feature) |
                       (node.missing_is_true != IsSwapped(node) ? kMissingLeft : 0U),
            .child = child};
  }

  std::int32_t AddTree(std::int64_t root, int& depth) {
    struct Open {
      std::int64_t from;
      std::int32_t to;
      int depth;
    };
    const std::int32_t top = AddLeaf();
    std::vector<Open> open{{root, top, 0}};
    while (!open.empty()) {
      const Open item = open.back();
      open.pop_back();
      depth = std::max(depth, item.depth);
      const TreeNode& node = forest_.nodes[At(item.from)];
      if (node.leaf) {
        leaves_[At(item.to)] = {static_cast<std::int32_t>(node.first),
                                static_cast<std::int32_t>(node.last)};
        if (node.first < node.last) weights_[At(item.to)] = forest_.weights[At(node.first)].weight;
        continue;
      }
      const std::int32_t left = AddLeaf();
      AddLeaf();
      nodes_[At(item.to)] = Packed(node, left);
      const bool swapped = IsSwapped(node);
      open.push_back({swapped ? node.when_true : node.when_false, left + 1, item.depth + 1});
      open.push_back({swapped ? node.when_false : node.when_true, left, item.depth + 1});
    }
    trees_.push_back({.first = top, .last = static_cast<std::int32_t>(nodes_.size())});
    return top;
  }

  /// Prepares the trees for many rows at once, if all of them are small.
  void AddSmallTrees() {
    if (trees_.size() < kLeastTrees) return;
    std::vector<SmallTrees::Node> nodes;
    for (const Entries& tree : trees_) {
      nodes.clear();
      for (std::int32_t i = tree.first; i < tree.last; ++i) {
        const PackedNode<V>& node = nodes_[At(i)];
        const bool leaf = node.value != node.value;
        nodes.push_back({.threshold = static_cast<float>(node.value),
                         .feature = static_cast<std::int32_t>(node.feature & ~kMissingLeft),
                         .left = leaf ? -1 : node.child,
                         .nan_left = node.feature >= kMissingLeft});
      }
      if (small_.Add(nodes, tree.first)) continue;
      small_ = {};
      return;
    }
    small_.Finish();
  }

  /// Gives every leaf a number for each target, and as many zeros as make whole rows.
  void SpreadWeights() {
    row_ = forest_.targets <= kFewTargets / 2 ? kFewTargets / 2 : kFewTargets;
    rows_.resize(At(row_));
    for (Range& leaf : leaves_) {
      const std::size_t at = rows_.size();
      if (leaf.first < leaf.last) rows_.resize(at + At(row_));
      for (std::int32_t i = leaf.first; i < leaf.last; ++i) {
        const LeafWeight& entry = forest_.weights[At(i)];
        rows_[at + At(entry.target)] += entry.weight;
      }
      leaf.first = leaf.first < leaf.last ? static_cast<std::int32_t>(at) : 0;
    }
  }

  template <bool missing_left>
  static std::int32_t Next(const PackedNode<V>& node, const V* features) {
    if constexpr (missing_left) {
      const V x = features[node.feature & ~kMissingLeft];
      const bool missing = (x != x) & (node.value == node.value) & (node.feature < kMissingLeft);
      return node.child + static_cast<std::int32_t>((x > node.value) | missing);
    } else {
      return node.child + static_cast<std::int32_t>(!(features[node.feature] <= node.value));
    }
  }

  /// Takes each lane to its leaf.
  template <bool missing_left>
  void Descend(const Group& group, const V* features, std::int32_t (&leaves)[kLanes]) const {
    const PackedNode<V>* nodes = nodes_.data();
    std::int32_t at[kLanes];
#pragma GCC unroll 8
    for (std::size_t lane = 0; lane < kLanes; ++lane) at[lane] = group.roots[lane];
    for (int step = 0; step < group.depth;) {
      std::int32_t before[kLanes];
#pragma GCC unroll 8
      for (std::size_t lane = 0; lane < kLanes; ++lane) before[lane] = at[lane];
      const int stop = std::min(group.depth, step + kStepsAtOnce);
      for (; step < stop; ++step) {
#pragma GCC unroll 8
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          at[lane] = Next<missing_left>(nodes[at[lane]], features);
        }
      }
      if (stop == group.depth) break;
      std::int32_t moved = 0;
#pragma GCC unroll 8
      for (std::size_t lane = 0; lane < kLanes; ++lane) moved |= at[lane] ^ before[lane];
      if (moved == 0) break;
    }
#pragma GCC unroll 8
    for (std::size_t lane = 0; lane < kLanes; ++lane) leaves[lane] = at[lane];
  }

  void AddLeaves(const std::int32_t (&at)[kLanes], double* scores) const {
    if (one_weight_) {
      double sum = *scores;
      for (const std::int32_t leaf : at) sum += weights_[At(leaf)];
      *scores = sum;
      return;
    }
    for (const std::int32_t leaf : at) AddWeights(At(leaf), scores);
  }

  /// All trees for one example, its sums in registers.
  template <std::size_t row, bool missing_left>
  void ScoreSpread(const V* features, double* scores) const {
    std::array<double, row> sums = {};
    std::int32_t at[kLanes];
    for (const Group& group : groups_) {
      Descend<missing_left>(group, features, at);
      for (const std::int32_t leaf : at) {
        const double* const weights = rows_.data() + leaves_[At(leaf)].first;
        for (std::size_t i = 0; i < row; ++i) sums[i] += weights[i];
      }
    }
    std::copy_n(sums.begin(), forest_.targets, scores);
  }

  void ScoreSpread(const V* features, double* scores) const {
    if (row_ == kFewTargets) {
      missing_left_ ? ScoreSpread<kFewTargets, true>(features, scores)
                    : ScoreSpread<kFewTargets, false>(features, scores);
    } else {
      missing_left_ ? ScoreSpread<kFewTargets / 2, true>(features, scores)
                    : ScoreSpread<kFewTargets / 2, false>(features, scores);
    }
  }

  void ScoreBlock(const V* block, std::int64_t rows, std::int64_t width, double* scores) const {
    const std::int64_t targets = forest_.targets;
    if (rows == 1 && row_ > 0) {
      ScoreSpread(block, scores);
      return Finish(forest_, {scores, At(targets)});
    }
    std::fill_n(scores, rows * targets, 0.0);
    if constexpr (std::is_same_v<V, float>) {
      if (rows >= kLeastAtOnce && !small_.empty()) return ScoreSmall(block, rows, width, scores);
    }
    std::int32_t at[kLanes];
    for (const Group& group : groups_) {
      for (std::int64_t row = 0; row < rows; ++row) {
        const V* features = block + row * width;
        if (missing_left_) {
          Descend<true>(group, features, at);
        } else {
          Descend<false>(group, features, at);
        }
        AddLeaves(at, scores + row * targets);
      }
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      Finish(forest_, {scores + row * targets, At(targets)});
    }
  }

  void ScoreSmall(const float* block, std::int64_t rows, std::int64_t width, double* scores) const {
    const std::int64_t targets = forest_.targets;
    for (std::int64_t first = 0; first < rows; first += kExamplesAtOnce) {
      double* const to = scores + first * targets;
      const auto add = [&](std::span<const std::int32_t> leaves) {
        if (one_weight_) {
          for (std::size_t row = 0; row < leaves.size(); ++row)
            to[row] += weights_[At(leaves[row])];
        } else {
          for (std::size_t row = 0; row < leaves.size(); ++row) {
            AddWeights(At(leaves[row]), to + row * At(targets));
          }
        }
      };
      small_.ForEachTree(block + first * width, std::min(kExamplesAtOnce, rows - first), width,
                         add);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      Finish(forest_, {scores + row * targets, At(targets)});
    }
  }

  void AddWeights(std::size_t leaf, double* scores) const {
    if (one_weight_) {
      *scores += weights_[leaf];
    } else if (row_ > 0) {
      const double* const weights = rows_.data() + leaves_[leaf].first;
      for (std::int64_t i = 0; i < forest_.targets; ++i) scores[i] += weights[i];
    } else {
      for (std::int32_t i = leaves_[leaf].first; i < leaves_[leaf].last; ++i) {
        const LeafWeight& entry = forest_.weights[At(i)];
        scores[entry.target] += entry.weight;
      }
    }
  }

  Forest forest_;
  std::vector<Entries> trees_;
  SmallTrees small_;  ///< none where some trees are large
  CountedVector<PackedNode<V>> nodes_;
  CountedVector<Range>
      leaves_;            ///< per node; empty for branches; `first`: in rows_ if there are any
  Doubles weights_;       ///< per node; of its first weight, 0 for branches
  Doubles rows_;          ///< weights of leaves, a number for each target; zeros first
  std::int64_t row_ = 0;  ///< numbers in one of these; 0: there are none
  std::vector<Group> groups_;
  bool missing_left_ = false;  ///< of any branch
  bool one_weight_ = false;    ///< one target, and no leaf with two weights
};

}  // namespace

std::unique_ptr<ForestScorer> MakePlainScorer(Forest forest) {
  return std::make_unique<PlainScorer>(std::move(forest));
}

std::string DeclinePackedScorer(const Forest& forest) {
  constexpr std::size_t kMost = std::size_t{1} << 29;
  if (forest.aggregate == TreeAggregate::kMin || forest.aggregate == TreeAggregate::kMax) {
    return "weights are not summed";
  }
  if (forest.features == 0) return "no branch looks at a feature";
  if (forest.nodes.size() + forest.roots.size() > kMost || forest.weights.size() > kMost) {
    return "too many nodes";
  }
  for (const TreeNode& node : forest.nodes) {
    if (node.leaf) continue;
    if (node.mode == BranchMode::kEqual || node.mode == BranchMode::kNotEqual ||
        node.mode == BranchMode::kMember) {
      return "a branch tests equality";
    }
    if (!std::isfinite(node.threshold)) return "a threshold is not finite";
  }
  return "";
}

std::unique_ptr<ForestScorer> MakePackedScorer(const Forest& forest, DType x) {
  const bool narrow = std::ranges::all_of(forest.nodes, [](const TreeNode& node) {
    return node.leaf || static_cast<double>(static_cast<float>(node.threshold)) == node.threshold;
  });
  if (narrow && (x == DType::kFloat32 || x == DType::kFloat16)) {
    return std::make_unique<PackedScorer<float>>(forest);
  }
  return std::make_unique<PackedScorer<double>>(forest);
}

}  // namespace slipway::runtime
