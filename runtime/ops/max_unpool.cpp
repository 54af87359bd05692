// SPDX-License-Identifier: Apache-2.0
// MaxUnpool (opsets 9, 11, 22). Spec: https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
// Indices count in the whole tensor that the pool had; a larger `output_shape` adds zeros behind.
#include <algorithm>

#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

/// The shape that was pooled, from strides, pads and kernel.
Result<Shape> PooledShape(const NodeFacts& node) {
  Shape shape = node.shape(0);
  const Shape spatial = TRY(SpatialOf(shape));
  const auto kernel = TRY(PerDimension(node, "kernel_shape", spatial.size(), 1, 1));
  const auto strides = TRY(PerDimension(node, "strides", spatial.size(), 1, 1));
  const auto pads = TRY(PerDimension(node, "pads", 2 * spatial.size(), 0, 0));
  for (std::size_t d = 0; d < spatial.size(); ++d) {
    const std::int64_t steps = std::max<std::int64_t>(0, spatial[d] - 1);
    const std::int64_t reach = TRY(CheckedMul(steps, strides[d], "the output"));
    shape[2 + d] =
        TRY(CheckedAdd(reach, kernel[d], "the output")) - pads[d] - pads[d + spatial.size()];
    if (shape[2 + d] < 0)
      return Invalid("attribute `pads` is ", pads, " for an input of ", spatial);
  }
  TRY(ElementCount(shape));
  return shape;
}

Result<void> CheckOutput(const Shape& asked, const Shape& pooled) {
  bool fits = asked.size() == pooled.size() && asked[0] == pooled[0] && asked[1] == pooled[1];
  for (std::size_t d = 2; fits && d < asked.size(); ++d) fits = asked[d] >= pooled[d];
  if (fits) return {};
  return Invalid("input `output_shape` is ", asked, " where at least ", pooled, " is made");
}

Result<Facts> Infer(const NodeFacts& node) {
  if (node.shape(1) != node.shape(0)) {
    return Invalid("indices of ", node.shape(1), " for an input of ", node.shape(0));
  }
  const Shape pooled = TRY(PooledShape(node));
  TRY(CheckVector(node, 2, "output_shape"));
  if (!node.Has(2)) return Facts{TensorFacts(node.dtype(0), pooled)};
  const auto asked = ConstantInts(node, 2);
  if (!asked) return Facts{TensorFacts(node.dtype(0))};
  TRY(CheckOutput(*asked, pooled));
  return Facts{TensorFacts(node.dtype(0), *asked)};
}

/// Where element `index` of a tensor of shape `from` lies in one of shape `to`.
std::int64_t Moved(std::int64_t index, const Shape& from, const Shape& to) {
  std::int64_t offset = 0;
  std::int64_t stride = 1;
  for (std::size_t d = from.size(); d-- > 0;) {
    offset += index % from[d] * stride;
    index /= from[d];
    stride *= to[d];
  }
  return offset;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Shape pooled = TRY(PooledShape(node));
  const Shape shape = node.Has(2) ? Shape(IntsOf(context.input(2))) : pooled;
  TRY(CheckOutput(shape, pooled));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), shape));
  FillWith(*y, nullptr);
  const std::int64_t size = TRY(ElementCount(pooled));
  const auto indices = context.input(1)->data<std::int64_t>();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= size) {
      return Invalid("index ", indices[i], " out of range [0, ", size, ")");
    }
    CopyElements(x, static_cast<std::int64_t>(i), *y, Moved(indices[i], pooled, shape), 1);
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "max_unpool", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "MaxUnpool",
          .since = since,
          .signature = "X:T1, I:T2, output_shape?:T2 -> output:T1",
          .types = types,
          .attributes = "kernel_shape!:ints, pads:ints, strides:ints",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_max_unpool() {
  static constexpr auto kOps = Versions({
      Row(9, kT1T2<kFloatTypes, kInt64Type>),
      Row(11, kT1T2<kFloatTypes, kInt64Type>),
      Row(22, kT1T2<kFloatTypesB, kInt64Type>),
  });
  return kOps;
}

}  // namespace slipway::runtime
