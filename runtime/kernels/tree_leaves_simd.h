// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Small decision trees for many examples at once: every branch is asked for all of them, and the
/// answers choose among leaves from the bottom up, so that nothing is read from here and there.
/// Thread-safe; it allocates nothing.
namespace slipway::runtime {

/// Examples at once.
inline constexpr std::int64_t kExamplesAtOnce = 32;
inline constexpr std::int32_t kMostLeaves = 64;

/// An example goes to `left` where its number of the feature is not above the threshold, else to
/// `right`. These are leaves, from 0 on, or branches, from kMostLeaves on.
struct SmallBranch {
  float threshold;
  std::int32_t feature;
  std::int32_t left, right;
  std::int32_t nan_left;  ///< all bits where what is no number goes to `left`, or none
};

/// Trees one after the other: `counts` has how many branches each has, at least one and less than
/// kMostLeaves. Children come before their parents, the root is the last.
struct SmallForest {
  const SmallBranch* branches;
  const std::int32_t* counts;
  std::int64_t trees;
};

/// The leaves of each tree that examples come to, kExamplesAtOnce for each tree, of which the first
/// `examples` are meant; their numbers of each feature lie side by side, kExamplesAtOnce of them.
/// `has_nan`: some numbers may be none.
void LeavesOf(const SmallForest& forest, const float* columns, std::int64_t examples, bool has_nan,
              std::int32_t* leaves);

}  // namespace slipway::runtime
