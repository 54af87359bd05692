// SPDX-License-Identifier: Apache-2.0
// Products of weights that gain by it are computed in bfloat16, where the session asks for that.
#include "runtime/graph/low_products.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

Result<int> Run(Rewriter& graph) { return LowerProducts(graph, Precision::kBfloat16); }

}  // namespace

Pass passes_products_bf16() {
  return {.stage = 180,
          .summary = "computes products of weights in bfloat16, for precision bf16",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
