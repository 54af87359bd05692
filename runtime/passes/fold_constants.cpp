// SPDX-License-Identifier: Apache-2.0
// Nodes all of whose inputs are initialisers are computed once.
#include "runtime/graph/constant_nodes.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

Result<int> Run(Rewriter& graph) { return FoldConstantNodes(graph); }

}  // namespace

Pass passes_fold_constants() {
  return {.stage = 10, .summary = "computes what depends on weights alone", .run = Run};
}

}  // namespace slipway::runtime
