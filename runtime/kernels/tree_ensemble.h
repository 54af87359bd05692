// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/numbers.h"
#include "runtime/op.h"

/// Forests of decision trees: what TreeEnsemble, TreeEnsembleClassifier and
/// TreeEnsembleRegressor of ai.onnx.ml have in common.
namespace slipway::runtime {

/// How a branch compares the feature x with its threshold t.
enum class BranchMode : std::uint8_t {
  kLessOrEqual = 0,
  kLess = 1,
  kGreaterOrEqual = 2,
  kGreater = 3,
  kEqual = 4,
  kNotEqual = 5,
  kMember = 6,
};

/// A node of a tree, checked: children are nodes, and a leaf's weights lie in the forest's list.
struct TreeNode {
  bool leaf = false;
  BranchMode mode = BranchMode::kLessOrEqual;
  bool missing_is_true = false;  ///< where a NaN goes
  std::int64_t feature = 0;
  double threshold = 0;
  std::int64_t set = 0;                        ///< kMember: index into Forest::sets
  std::int64_t when_true = 0, when_false = 0;  ///< indices into Forest::nodes
  std::int64_t first = 0, last = 0;            ///< leaf: its range of Forest::weights
};

struct LeafWeight {
  std::int64_t target = 0;
  double weight = 0;
};

enum class TreeAggregate : std::uint8_t { kAverage = 0, kSum = 1, kMin = 2, kMax = 3 };

/// A forest as its node describes it; without cycles, every node reached at most once.
struct Forest {
  CountedVector<TreeNode> nodes;
  std::vector<std::int64_t> roots;
  CountedVector<LeafWeight> weights;
  std::vector<Doubles> sets;
  Doubles base_values;  ///< none, or one per target
  std::int64_t targets = 0;
  TreeAggregate aggregate = TreeAggregate::kSum;
  std::int64_t features = 0;  ///< as many as an example must have
};

/// From the attributes of the operator that `node` is. kInvalidArgument naming the attribute and
/// the entry: lengths that differ, ids that come twice or not at all, cycles, targets out of range.
Result<Forest> ForestOf(const NodeFacts& node);

/// Sums of one forest for rows of examples.
class ForestScorer {
 public:
  virtual ~ForestScorer() = default;
  /// `scores` gets the aggregated weights and base values of every target, for the rows
  /// [begin, end) of X; it has room for (end - begin) * targets.
  virtual void Score(const Tensor& x, std::int64_t begin, std::int64_t end,
                     double* scores) const = 0;
};

/// Walks the trees as they are, one after the other.
std::unique_ptr<ForestScorer> MakePlainScorer(Forest forest);
/// Several trees in step, over nodes of 12 or 16 bytes and without unpredictable jumps. `x` is the
/// element type of the examples.
std::unique_ptr<ForestScorer> MakePackedScorer(const Forest& forest, DType x);
/// Why the packed scorer cannot serve the forest; empty if it can.
std::string DeclinePackedScorer(const Forest& forest);

}  // namespace slipway::runtime
