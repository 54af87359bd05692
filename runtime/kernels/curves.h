// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/curves_simd.h"
#include "runtime/kernels/elementwise.h"

/// Kernels of functions that are curves. F(node) has `call()`, which says which, beside the
/// `operator()` that elementwise.h asks for.
namespace slipway::runtime {

inline std::string DeclineCurve(const NodeFacts& node) {
  return node.dtype(0) == DType::kFloat32 ? "" : "not float";
}

template <class F>
Result<void> RunCurveOf(const NodeFacts& node, KernelContext& context) {
  const CurveCall call = F(node).call();
  const float* x = context.input(0)->data<float>().data();
  float* y = context.output(0).data<float>().data();
  context.ParallelFor(context.output(0).size(), kElementGrain,
                      [&](std::int64_t begin, std::int64_t end) {
                        RunCurve(call, x + begin, y + begin, end - begin);
                      });
  return {};
}

template <class F, class List = FloatList>
inline constexpr Kernel kCurve[] = {
    {.name = "curve_vectors", .declines = DeclineCurve, .run = RunCurveOf<F>},
    {.name = "elementwise", .run = RunUnary<F, List>}};

}  // namespace slipway::runtime
