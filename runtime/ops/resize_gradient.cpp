// SPDX-License-Identifier: Apache-2.0
// What Resize and Upsample give back of a gradient where they interpolate: each output adds to the
// inputs it was made of, by their weights. Only derivatives put it into graphs (graph/gradient).
#include "runtime/graph/op_index.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/resize.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(0), node.shape(1))};
}

/// The node whose derivative this is: all inputs but the gradient.
NodeFacts Forward(const NodeFacts& node) {
  const std::int64_t opset = node.attributes.Int("of_opset", 0);
  NodeFacts forward =
      AsNodeOf(node, "", node.attributes.String("of", "Resize"), static_cast<int>(opset));
  forward.inputs.erase(forward.inputs.begin());
  forward.present.erase(forward.present.begin());
  return forward;
}

/// From [outer, out, inner] back to [outer, in, inner].
void Unblend(KernelContext& context, const ResizeAxis& axis, const Doubles& from, std::int64_t in,
             std::int64_t inner, Doubles& to) {
  const auto out = static_cast<std::int64_t>(axis.outside.size());
  const std::int64_t outer = static_cast<std::int64_t>(to.size()) / (in * inner);
  context.ParallelFor(outer, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin * out; line < end * out; ++line) {
      const std::int64_t position = line % out;
      if (axis.outside[At(position)]) continue;
      for (std::int64_t t = position * axis.taps; t < (position + 1) * axis.taps; ++t) {
        const auto weight = static_cast<double>(axis.weights[At(t)]);
        if (weight == 0) continue;
        double* const sums = to.data() + (line / out * in + axis.indices[At(t)]) * inner;
        for (std::int64_t k = 0; k < inner; ++k) sums[k] += weight * from[At(line * inner + k)];
      }
    }
  });
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const NodeFacts forward = Forward(node);
  const Shape& shape = node.shape(1);
  ResizeInputs inputs;
  const auto given = [&](std::size_t i) { return forward.Has(i) ? context.input(i + 1) : nullptr; };
  TRY(ReadResizeInputs(forward, given, inputs));
  const ResizePlan plan = TRY(PlanResize(forward, shape, inputs));
  if (plan.output != node.shape(0)) {
    return Invalid("a gradient of ", node.shape(0), " where the output is ", plan.output);
  }
  if (context.output(0).size() == 0) return {};
  Shape now = plan.output;
  Doubles gradient = DoublesOf(context.input(0));
  for (auto axis = plan.axes.rbegin(); axis != plan.axes.rend(); ++axis) {
    const std::int64_t inner = CountOf(now, axis->axis + 1, now.size());
    now[axis->axis] = shape[axis->axis];
    Doubles back(At(CountOf(now, 0, now.size())));
    Unblend(context, *axis, gradient, now[axis->axis], inner, back);
    gradient = std::move(back);
  }
  return StoreDoubles(context, gradient, context.output(0));
}

constexpr Kernel kKernels[] = {{.name = "resize_gradient", .run = Run}};
constexpr TypeRule kRules[] = {{"T1", kFloatTypesB}, {"T2", kFloatTypes}};

}  // namespace

OpList ops_resize_gradient() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "ResizeGradient",
            .domain = kPrivateDomain,
            .signature = "G:T1, X:T1, a?:T2, b?:float, sizes?:int64 -> Y:T1",
            .types = kRules,
            .attributes =
                "antialias:int=0, axes:ints, coordinate_transformation_mode:string, "
                "cubic_coeff_a:float, exclude_outside:int=0, extrapolation_value:float, "
                "height_scale:float, keep_aspect_ratio_policy:string, mode:string, "
                "nearest_mode:string, of!:string, of_opset!:int, scales:floats, width_scale:float",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
