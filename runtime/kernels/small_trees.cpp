// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/small_trees.h"

#include <algorithm>

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

bool SmallTrees::Add(std::span<const Node> nodes, std::int32_t first) {
  const auto leaves = std::ranges::count_if(nodes, [](const Node& node) { return node.left < 0; });
  if (leaves > kMostLeaves) return false;
  if (nodes.size() == 1) {
    // A branch both of whose ways end at the one leaf.
    branches_.push_back({.threshold = 0, .feature = 0, .left = 0, .right = 0, .nan_left = 0});
    leaves_.insert(leaves_.end(), {first, first});
    counts_.push_back(1);
    used_.push_back(0);
    return true;
  }
  std::vector<std::int32_t> slots(nodes.size());
  std::int32_t leaf = 0, branch = kMostLeaves;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const Node& node = nodes[i];
    if (node.left < 0) {
      leaves_.push_back(first + static_cast<std::int32_t>(i));
      slots[i] = leaf++;
      continue;
    }
    const std::size_t left = At(node.left - first);
    branches_.push_back({.threshold = node.threshold,
                         .feature = node.feature,
                         .left = slots[left],
                         .right = slots[left + 1],
                         .nan_left = node.nan_left ? -1 : 0});
    used_.push_back(node.feature);
    slots[i] = branch++;
  }
  counts_.push_back(branch - kMostLeaves);
  return true;
}

void SmallTrees::Finish() {
  std::ranges::sort(used_);
  used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
  for (SmallBranch& branch : branches_) {
    const auto found = std::ranges::lower_bound(used_, branch.feature);
    branch.feature = static_cast<std::int32_t>(found - used_.begin());
  }
}

bool SmallTrees::Turn(const float* x, std::int64_t rows, std::int64_t width,
                      std::vector<float>& columns) const {
  bool has_nan = false;
  for (std::int64_t row = 0; row < rows; ++row, x += width) {
    float* to = columns.data() + row;
    for (const std::int32_t feature : used_) {
      const float number = x[feature];
      has_nan = has_nan || number != number;
      *to = number;
      to += kExamplesAtOnce;
    }
  }
  return has_nan;
}

}  // namespace slipway::runtime
