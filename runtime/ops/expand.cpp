// SPDX-License-Identifier: Apache-2.0
// Expand (opsets 8, 13), Tile (1, 6, 13).
// Spec: https://onnx.ai/onnx/operators/onnx__Expand.html, onnx__Tile.html
#include <algorithm>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Elements that are worth a call, and a thread's beginning, and how many are copied at once.
constexpr std::int64_t kLeastBlock = 256, kRepeatGrain = 16 << 10, kMostAtOnce = 1 << 20;

Result<Facts> InferExpand(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "shape"));
  if (DependsOnData(node, 1)) return Facts{TensorFacts(node.dtype(0))};
  const Shape to = *ConstantInts(node, 1);
  TRY(ElementCount(to));
  return Facts{TensorFacts(node.dtype(0), TRY(BroadcastShapes(node.shape(0), to)))};
}

Result<void> RunExpand(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const Shape to = IntsOf(context.input(1));
  TRY(ElementCount(to));
  const Shape shape = TRY(BroadcastShapes(in.shape(), to));
  Tensor* out = TRY(OutputOf(node, context, 0, in.dtype(), shape));
  StridedBox box{.dims = shape, .from = Strides(shape.size(), 0), .to = ContiguousStrides(shape)};
  const Strides strides = ContiguousStrides(in.shape());
  const std::size_t lead = shape.size() - strides.size();
  for (std::size_t d = 0; d < strides.size(); ++d) {
    if (in.shape()[d] != 1) box.from[lead + d] = strides[d];
  }
  CopyBox(context, box, in, *out);
  return {};
}

Result<Shape> TiledShape(Shape shape, const std::vector<std::int64_t>& repeats) {
  if (repeats.size() != shape.size()) {
    return Invalid("repeats ", repeats, " do not fit shape ", shape);
  }
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (repeats[d] < 0) return Invalid("repeats ", repeats, " are negative");
    shape[d] = TRY(CheckedMul(shape[d], repeats[d], "the tiled dimension"));
  }
  return shape;
}

/// Opset 1: how often (`tiles`) to repeat which axis, both scalars of the data's own type.
Result<std::vector<std::int64_t>> LegacyRepeats(const Shape& shape, const Tensor& tiles,
                                                const Tensor& axis) {
  if (tiles.dtype() != DType::kFloat32 || tiles.size() != 1 || axis.size() != 1) {
    return Invalid("tiles and axis must be float scalars, not ", tiles.dtype());
  }
  const float count = tiles.data<float>()[0];
  const float where = axis.data<float>()[0];
  if (!(count >= 0 && count < 1e9F && where >= 0 && where < 1e3F)) {
    return Invalid("tiles ", count, " and axis ", where, " do not make sense");
  }
  std::vector<std::int64_t> repeats(shape.size(), 1);
  const auto at = TRY(NormalizeAxis(static_cast<std::int64_t>(where), RankOf(shape)));
  repeats[At(at)] = static_cast<std::int64_t>(count);
  return repeats;
}

Result<std::vector<std::int64_t>> Repeats(const NodeFacts& node, const Shape& shape,
                                          const Tensor& first, const Tensor* second) {
  if (node.op->since >= 6) return IntsOf(&first);
  return LegacyRepeats(shape, first, *second);
}

Result<Facts> InferTile(const NodeFacts& node) {
  if (node.op->since >= 6) TRY(CheckVector(node, 1, "repeats"));
  if (DependsOnData(node, 1) || DependsOnData(node, 2)) return Facts{TensorFacts(node.dtype(0))};
  const Tensor* axis = node.Has(2) ? node.inputs[2].constant : nullptr;
  const auto repeats = TRY(Repeats(node, node.shape(0), *node.inputs[1].constant, axis));
  return Facts{TensorFacts(node.dtype(0), TRY(TiledShape(node.shape(0), repeats)))};
}

/// The outermost axis along which something is repeated, where that makes large blocks of what is
/// repeated along the others; else none.
std::size_t RepeatedBlocks(const Shape& shape, const std::vector<std::int64_t>& repeats) {
  const auto is_more = [](std::int64_t times) { return times > 1; };
  const auto axis =
      static_cast<std::size_t>(std::ranges::find_if(repeats, is_more) - repeats.begin());
  if (axis == repeats.size()) return axis;
  const std::int64_t block = CountOf(shape, axis, shape.size()) / repeats[axis];
  return block < kLeastBlock ? repeats.size() : axis;
}

/// The elements repeated, but along `once` not.
StridedBox TileBox(const Shape& in, const Shape& out, const std::vector<std::int64_t>& repeats,
                   std::size_t once) {
  const Strides from = ContiguousStrides(in);
  const Strides to = ContiguousStrides(out);
  StridedBox box;
  for (std::size_t d = 0; d < out.size(); ++d) {
    box.dims.insert(box.dims.end(), {d == once ? 1 : repeats[d], in[d]});
    box.from.insert(box.from.end(), {0, from[d]});
    box.to.insert(box.to.end(), {in[d] * to[d], to[d]});
  }
  return box;
}

/// Copies what is there once along `axis` to the places of its other repetitions.
void RepeatBlocks(KernelContext& context, const Shape& shape, std::size_t axis, std::int64_t times,
                  Tensor& out) {
  const std::int64_t block = CountOf(shape, axis, shape.size()) / times;
  const std::int64_t parts = (block + kMostAtOnce - 1) / kMostAtOnce;
  const std::int64_t grain = std::max<std::int64_t>(1, kRepeatGrain / block);
  TextMeter meter;
  context.ParallelFor(out.size() / block * parts, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t unit = begin; unit < end && !MustStop(); ++unit) {
      const std::int64_t i = unit / parts, at = unit % parts * kMostAtOnce;
      if (i % times == 0) continue;
      CopyElements(out, i / times * times * block + at, out, i * block + at,
                   std::min(kMostAtOnce, block - at), &meter);
    }
  });
}

Result<void> RunTile(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const Tensor* axis = node.op->since < 6 ? context.input(2) : nullptr;
  const auto repeats = TRY(Repeats(node, in.shape(), *context.input(1), axis));
  const Shape shape = TRY(TiledShape(in.shape(), repeats));
  Tensor* out = TRY(OutputOf(node, context, 0, in.dtype(), shape));
  if (out->size() == 0) return {};
  const std::size_t last = RepeatedBlocks(shape, repeats);
  CopyBox(context, TileBox(in.shape(), shape, repeats, last), in, *out);
  if (last < repeats.size()) RepeatBlocks(context, shape, last, repeats[last], *out);
  return {};
}

constexpr Kernel kExpand[] = {{.name = "expand", .run = RunExpand}};
constexpr Kernel kTile[] = {{.name = "tile", .run = RunTile}};

consteval OpDef Expand(int since, std::span<const TypeRule> types) {
  return {.type = "Expand",
          .since = since,
          .signature = "input:T, shape:int64 -> output:T",
          .types = types,
          .infer = InferExpand,
          .kernels = kExpand};
}

consteval OpDef Tile(int since, std::span<const TypeRule> types) {
  return {.type = "Tile",
          .since = since,
          .signature = since < 6 ? "input:T, tiles:T, axis:T -> output:T"
                                 : "input:T, repeats:T1 -> output:T",
          .types = types,
          .infer = InferTile,
          .kernels = kTile};
}

}  // namespace

OpList ops_expand() {
  static constexpr auto kOps = Versions({
      Expand(8, kT<kClassicTypes>),
      Expand(13, kT<kTypes13>),
      Tile(1, kTT1<kFloatTypes, kInt64Type>),
      Tile(6, kTT1<kClassicTypes, kInt64Type>),
      Tile(13, kTT1<kTypes13, kInt64Type>),
  });
  return kOps;
}

}  // namespace slipway::runtime
