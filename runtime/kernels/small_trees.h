// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernels/numbers.h"
#include "runtime/kernels/tree_leaves_simd.h"

namespace slipway::runtime {

/// A forest of trees with few leaves, ready for many examples at once.
class SmallTrees {
 public:
  /// A node as trees of PackedScorer have them: a leaf where `left` is less than 0, else with
  /// children `left` and `left + 1`.
  struct Node {
    float threshold = 0;
    std::int32_t feature = 0, left = -1;
    bool nan_left = false;
  };

  /// Adds a tree; `nodes` are those from `first` on, the root before all others and parents before
  /// children. False where it has too many leaves.
  bool Add(std::span<const Node> nodes, std::int32_t first);
  /// To be called when all trees are there.
  void Finish();
  bool empty() const { return counts_.empty(); }

  /// body(leaves): of each tree in turn, the nodes that `rows` examples come to, at most
  /// kExamplesAtOnce, which lie `width` numbers apart.
  template <class Body>
  void ForEachTree(const float* x, std::int64_t rows, std::int64_t width, const Body& body) const {
    std::vector<float> columns(used_.size() * static_cast<std::size_t>(kExamplesAtOnce), 0.0F);
    const bool has_nan = Turn(x, rows, width, columns);
    std::int32_t leaves[kTreesAtOnce * kExamplesAtOnce];
    const std::int32_t* nodes = leaves_.data();
    const SmallBranch* branches = branches_.data();
    const auto trees = static_cast<std::int64_t>(counts_.size());
    for (std::int64_t first = 0; first < trees; first += kTreesAtOnce) {
      const std::int64_t count = std::min(kTreesAtOnce, trees - first);
      const std::int32_t* const counts = counts_.data() + first;
      LeavesOf({.branches = branches, .counts = counts, .trees = count}, columns.data(), rows,
               has_nan, leaves);
      for (std::int64_t tree = 0; tree < count; ++tree) {
        std::int32_t* const of_tree = leaves + tree * kExamplesAtOnce;
        for (std::int64_t row = 0; row < rows; ++row) of_tree[row] = nodes[of_tree[row]];
        body(std::span<const std::int32_t>(of_tree, static_cast<std::size_t>(rows)));
        nodes += counts[tree] + 1;
        branches += counts[tree];
      }
    }
  }

 private:
  static constexpr std::int64_t kTreesAtOnce = 64;

  /// Lays the features that are looked at side by side. Whether some are no numbers.
  bool Turn(const float* x, std::int64_t rows, std::int64_t width,
            std::vector<float>& columns) const;

  CountedVector<SmallBranch> branches_;
  CountedVector<std::int32_t> counts_;  ///< branches of each tree
  CountedVector<std::int32_t> leaves_;  ///< nodes that are leaves
  std::vector<std::int32_t> used_;      ///< features that branches look at, ascending
};

}  // namespace slipway::runtime
