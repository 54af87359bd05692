// SPDX-License-Identifier: Apache-2.0
// Resize (opsets 10, 11, 13, 18, 19), Upsample (1, 7, 9).
// Spec: https://onnx.ai/onnx/operators/onnx__Resize.html, onnx__Upsample.html
#include "runtime/kernels/resize.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  TRY(ResizeOptionsOf(node));
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    TRY(CheckVector(node, i, i == 3 ? "sizes" : i == 1 && node.op->since >= 11 ? "roi" : "scales"));
    if (DependsOnData(node, i)) return Facts{TensorFacts(node.dtype(0))};
  }
  ResizeInputs inputs;
  const auto constant = [&](std::size_t i) {
    return node.Has(i) ? node.inputs[i].constant : nullptr;
  };
  TRY(ReadResizeInputs(node, constant, inputs));
  const ResizePlan plan = TRY(PlanResize(node, node.shape(0), inputs));
  return Facts{TensorFacts(node.dtype(0), plan.output)};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  ResizeInputs inputs;
  const auto given = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  TRY(ReadResizeInputs(node, given, inputs));
  const ResizePlan plan = TRY(PlanResize(node, x.shape(), inputs));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), plan.output));
  if (y->size() == 0) return {};
  return RunResize(context, plan, x, *y);
}

constexpr Kernel kKernels[] = {
    {.name = "resize_planned", .declines = DeclineResizePlanned, .prepare = PrepareResizePlanned},
    {.name = "resize", .run = Run}};

constexpr std::string_view kAttributes11 =
    "coordinate_transformation_mode:string=half_pixel, cubic_coeff_a:float=-0.75, "
    "exclude_outside:int=0, extrapolation_value:float=0.0, mode:string=nearest, "
    "nearest_mode:string=round_prefer_floor";
constexpr std::string_view kAttributes18 =
    "antialias:int=0, axes:ints, coordinate_transformation_mode:string=half_pixel, "
    "cubic_coeff_a:float=-0.75, exclude_outside:int=0, extrapolation_value:float=0.0, "
    "keep_aspect_ratio_policy:string=stretch, mode:string=nearest, "
    "nearest_mode:string=round_prefer_floor";

consteval OpDef Row(std::string_view type, int since, std::string_view signature,
                    std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

constexpr DTypeSet kUpsample1 = kFloatTypes | kIndexTypes | kBoolType;
constexpr std::string_view kScales = "X:T, scales:float -> Y:T";
constexpr std::string_view kOptional = "X:T1, roi?:T2, scales?:float, sizes?:int64 -> Y:T1";

/// From opset 10 on Resize takes its place.
consteval OpDef LastUpsample() {
  OpDef row = Row("Upsample", 9, kScales, kT<kClassicTypes>, "mode:string=nearest");
  row.until = 9;
  return row;
}

}  // namespace

OpList ops_resize() {
  static constexpr auto kOps = Versions({
      Row("Resize", 10, kScales, kT<kClassicTypes>, "mode:string=nearest"),
      Row("Resize", 11, "X:T1, roi:T2, scales:float, sizes?:int64 -> Y:T1",
          kT1T2<kClassicTypes, kFloatTypes>, kAttributes11),
      Row("Resize", 13, kOptional, kT1T2<kTypes13, kFloatTypes>, kAttributes11),
      Row("Resize", 18, kOptional, kT1T2<kTypes13, kFloatTypes>, kAttributes18),
      Row("Resize", 19, kOptional, kT1T2<kTypes13, kFloatTypes>, kAttributes18),
      Row("Upsample", 1, "X:T -> Y:T", kT<kUpsample1>,
          "height_scale!:float, mode:string=nearest, width_scale!:float"),
      Row("Upsample", 7, "X:T -> Y:T", kT<kClassicTypes>, "mode:string=nearest, scales!:floats"),
      LastUpsample(),
  });
  return kOps;
}

}  // namespace slipway::runtime
