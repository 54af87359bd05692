// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "runtime/graph/block_roles.h"

namespace slipway::runtime {

/// How values of a graph are used, for the choice of layouts.
class ValueUses {
 public:
  struct Use {
    std::size_t node = 0, input = 0;
  };
  explicit ValueUses(const GraphData& graph);
  /// Values of the graph.
  std::size_t size() const { return uses_.size(); }
  const std::vector<Use>& Of(ValueId id) const { return uses_[static_cast<std::size_t>(id)]; }
  /// Whether something takes it as it is whatever the nodes do: an output, or a graph inside a
  /// node.
  bool IsKept(ValueId id) const { return kept_[static_cast<std::size_t>(id)]; }

 private:
  std::vector<std::vector<Use>> uses_;
  std::vector<bool> kept_;
};

/// Which nodes are to work on blocks: those with a role for which fewest bytes are moved between
/// layouts, by their kernels or at the borders of regions. The lesser of two minima, beginning with
/// none and with all on blocks, that no change of one node makes less; of equal ones that with the
/// fewest nodes on blocks.
std::vector<bool> ChooseBlockRegions(const Rewriter& graph, const ValueUses& uses,
                                     const std::vector<std::optional<BlockRole>>& roles);

}  // namespace slipway::runtime
