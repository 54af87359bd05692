// SPDX-License-Identifier: Apache-2.0
// CenterCropPad (opset 18). Spec: https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
#include <numeric>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Shape> OutputShape(const NodeFacts& node, const std::vector<std::int64_t>& sizes) {
  Shape shape = node.shape(0);
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = TRY(NormalizeAxes(node.attributes.Ints("axes", axes), RankOf(shape)));
  if (sizes.size() != axes.size()) {
    return Invalid("input `shape` is ", sizes, " for axes ", axes);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (sizes[i] < 0) return Invalid("input `shape` is ", sizes);
    shape[At(axes[i])] = sizes[i];
  }
  TRY(ElementCount(shape));
  return shape;
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "shape"));
  if (DependsOnData(node, 1)) return Facts{TensorFacts(node.dtype(0))};
  return Facts{TensorFacts(node.dtype(0), TRY(OutputShape(node, *ConstantInts(node, 1))))};
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Shape shape = TRY(OutputShape(node, IntsOf(context.input(1))));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), shape));
  FillWith(*y, nullptr);
  if (x.size() == 0 || y->size() == 0) return {};
  StridedBox box{
      .dims = shape, .from = ContiguousStrides(x.shape()), .to = ContiguousStrides(shape)};
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::int64_t more = shape[d] - x.shape()[d];
    box.dims[d] = std::min(shape[d], x.shape()[d]);
    box.from_offset += more < 0 ? -more / 2 * box.from[d] : 0;
    box.to_offset += more > 0 ? more / 2 * box.to[d] : 0;
  }
  CopyBox(context, box, x, *y);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "center_crop_pad", .run = Run}};

}  // namespace

OpList ops_center_crop_pad() {
  static constexpr OpDef kOps[] = {{.type = "CenterCropPad",
                                    .since = 18,
                                    .signature = "input_data:T, shape:Tind -> output_data:T",
                                    .types = kTTind<kTypes13, kIndexTypes>,
                                    .attributes = "axes:ints",
                                    .infer = Infer,
                                    .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
