// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/graph/differential.h"

/// Which values depend on others smoothly: through numbers that are real.
namespace slipway::runtime {

/// How a node that runs its graph `body` again and again stands to it: input `node_in + i` is the
/// graph's input `body_in + i` of the first trip, its output `body_out + i` the node's output i.
/// The first `states` of these are the inputs of the next trip.
struct TripLayout {
  std::size_t node_in = 0, body_in = 0, body_out = 0, states = 0;
};

/// Whether the node is a Loop, Scan or Fold.
bool RunsTrips(const MadeNode& node);
/// Of such a node. kInvalidArgument where node and body do not fit each other.
Result<TripLayout> TripLayoutOf(const MadeNode& node);

/// Adds to `active` what `nodes` make of values in it, but for what is `discrete`.
Result<void> Follow(Effort& effort, const std::vector<MadeNode>& nodes,
                    const std::set<std::string>& discrete, std::set<std::string>& active);

/// The active values inside the body of such a node, in any of its trips.
Result<std::set<std::string>> ActiveInTrips(Effort& effort, const MadeNode& node,
                                            const std::set<std::string>& active);

}  // namespace slipway::runtime
