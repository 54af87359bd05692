// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "base/unit.h"

namespace slipway::runtime {

class Rewriter;

/// A rewrite of the graph that leaves what it computes as it is: the file `passes/<name>.cpp`.
struct Pass {
  int stage = 0;             ///< passes run in order of their stages
  std::string_view summary;  ///< one line
  /// Runs while planning, when the shapes and element types of values are known; else once, when
  /// the session is made.
  bool per_plan = false;
  /// Where it changed something, what is known of values is worked out anew before the passes after
  /// it. Of those that run while planning.
  bool renews_facts = false;
  /// Rewrites one graph (not its subgraphs) and says how many places it changed.
  Result<int> (*run)(Rewriter&) = nullptr;
};
std::span<const Unit<Pass>> passes_table();

}  // namespace slipway::runtime
