// SPDX-License-Identifier: Apache-2.0
// Products of weights that gain by it are computed in bytes, where the session asks for that.
#include "runtime/graph/low_products.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

Result<int> Run(Rewriter& graph) { return LowerProducts(graph, Precision::kInt8); }

}  // namespace

Pass passes_products_int8() {
  return {.stage = 180,
          .summary = "computes products of weights in bytes, for precision int8",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
