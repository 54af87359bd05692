// SPDX-License-Identifier: Apache-2.0
// Shape (opsets 1, 13, 15 with `start` and `end`, 19, 21, 23, 24, 25), Size (1, 13, 19, 21, 23,
// 24, 25). Spec: https://onnx.ai/onnx/operators/onnx__Shape.html, onnx__Size.html
#include <algorithm>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// The dimensions asked for: [first, second).
std::pair<std::int64_t, std::int64_t> RangeOf(const NodeFacts& node) {
  const std::int64_t rank = RankOf(node.shape(0));
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t begin = clamp(node.attributes.Int("start", 0));
  const std::int64_t end = clamp(node.attributes.Int("end", rank));
  return {begin, std::max(begin, end)};
}

Result<Facts> InferShape(const NodeFacts& node) {
  const auto [begin, end] = RangeOf(node);
  return Facts{TensorFacts(DType::kInt64, {end - begin})};
}

Result<void> RunShape(const NodeFacts& node, KernelContext& context) {
  const auto [begin, end] = RangeOf(node);
  const Shape& shape = node.shape(0);
  std::copy(shape.begin() + begin, shape.begin() + end,
            context.output(0).data<std::int64_t>().begin());
  return {};
}

Result<Facts> InferSize(const NodeFacts&) { return Facts{TensorFacts(DType::kInt64, {})}; }

Result<void> RunSize(const NodeFacts& node, KernelContext& context) {
  const Shape& shape = node.shape(0);
  context.output(0).data<std::int64_t>()[0] = CountOf(shape, 0, shape.size());
  return {};
}

constexpr Kernel kShape[] = {{.name = "shape", .run = RunShape}};
constexpr Kernel kSize[] = {{.name = "size", .run = RunSize}};

consteval OpDef ShapeRow(int since, std::span<const TypeRule> types) {
  return {.type = "Shape",
          .since = since,
          .signature = "data:T -> shape:T1",
          .types = types,
          .attributes = since < 15 ? "" : "end:int, start:int=0",
          .infer = InferShape,
          .kernels = kShape};
}

consteval OpDef SizeRow(int since, std::span<const TypeRule> types) {
  return {.type = "Size",
          .since = since,
          .signature = "data:T -> size:T1",
          .types = types,
          .infer = InferSize,
          .kernels = kSize};
}

}  // namespace

OpList ops_shape() {
  static constexpr auto kOps = Versions({
      ShapeRow(1, kTT1<kClassicTypes, kInt64Type>),
      ShapeRow(13, kTT1<kTypes13, kInt64Type>),
      ShapeRow(15, kTT1<kTypes13, kInt64Type>),
      ShapeRow(19, kTT1<kTypes19, kInt64Type>),
      ShapeRow(21, kTT1<kTypes21, kInt64Type>),
      ShapeRow(23, kTT1<kTypes23, kInt64Type>),
      ShapeRow(24, kTT1<kTypes24, kInt64Type>),
      ShapeRow(25, kTT1<kTypes25, kInt64Type>),
      SizeRow(1, kTT1<kClassicTypes, kInt64Type>),
      SizeRow(13, kTT1<kTypes13, kInt64Type>),
      SizeRow(19, kTT1<kTypes19, kInt64Type>),
      SizeRow(21, kTT1<kTypes21, kInt64Type>),
      SizeRow(23, kTT1<kTypes23, kInt64Type>),
      SizeRow(24, kTT1<kTypes24, kInt64Type>),
      SizeRow(25, kTT1<kTypes25, kInt64Type>),
  });
  return kOps;
}

}  // namespace slipway::runtime
