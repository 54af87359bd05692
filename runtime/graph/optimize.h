// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "runtime/device/device.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/prepare.h"

namespace slipway::runtime {

/// Which passes run, and how nodes are evaluated for them.
struct PassOptions {
  bool enabled = true;
  std::set<std::string> without = {};  ///< names of passes to leave out
  KernelChoice choice = {};
};

struct Optimized {
  std::shared_ptr<const GraphData> graph;
  std::map<std::string, std::int64_t> changes;  ///< per pass
  bool unfinished = false;  ///< facts are to be worked out anew, and more passes may run
};

/// The graph as a session runs it: `overridden` initialisers are inputs, after the graph's own;
/// constants are handed into subgraphs; and the passes have rewritten it, subgraphs too, until
/// none found anything more.
Result<Optimized> Optimize(const GraphData& graph, const std::set<std::string>& overridden,
                           const PassOptions& options, DeviceContext& device);

/// The graph rewritten by the passes that run while planning. `facts`: of its values. Value ids
/// stay what they are; values captured by subgraphs too. No changes: `graph` itself. `may_renew`:
/// whether passes that ask for facts anew take part.
Result<Optimized> Specialise(const std::shared_ptr<const GraphData>& graph,
                             std::span<const ValueFacts> facts, const PassOptions& options,
                             DeviceContext& device, bool may_renew);

}  // namespace slipway::runtime
