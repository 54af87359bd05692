// SPDX-License-Identifier: Apache-2.0
// Split: opsets 1, 2, 11 (`split` is an attribute; in 1 it may be an input too), 13 (an input),
// 18 (`num_outputs`). Spec: https://onnx.ai/onnx/operators/onnx__Split.html
#include <numeric>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Sizes where none are given: equal ones; from opset 18 the last may be smaller.
Result<std::vector<std::int64_t>> EqualParts(const NodeFacts& node, std::int64_t dim,
                                             std::int64_t parts) {
  if (node.attributes.Has("num_outputs") && node.attributes.Int("num_outputs", 0) != parts) {
    return Invalid("attribute `num_outputs` is ", node.attributes.Int("num_outputs", 0),
                   ", the node has ", parts, " outputs");
  }
  const bool uneven = node.op->since >= 18;
  if (!uneven && dim % parts != 0) {
    return Invalid("dimension of ", dim, " does not split into ", parts, " equal parts");
  }
  const std::int64_t size = dim / parts + (dim % parts != 0 ? 1 : 0);
  std::vector<std::int64_t> sizes(At(parts), size);
  sizes.back() = dim - size * (parts - 1);
  if (sizes.back() < 0)
    return Invalid("dimension of ", dim, " does not split into ", parts, " parts");
  return sizes;
}

Result<std::vector<std::int64_t>> CheckedParts(std::vector<std::int64_t> sizes, std::int64_t dim,
                                               std::int64_t parts) {
  std::int64_t sum = 0;
  bool valid = static_cast<std::int64_t>(sizes.size()) == parts;
  for (const std::int64_t size : sizes) {
    valid = valid && size >= 0 && !__builtin_add_overflow(sum, size, &sum);
  }
  if (!valid || sum != dim) {
    return Invalid("parts ", sizes, " do not split a dimension of ", dim, " into ", parts,
                   " outputs");
  }
  return sizes;
}

std::vector<std::int64_t> SizesFrom(const Tensor& split) {
  if (split.dtype() == DType::kInt64) return IntsOf(&split);
  std::vector<std::int64_t> sizes;
  if (split.dtype() == DType::kFloat32) {
    for (const float size : split.data<float>()) {
      sizes.push_back(size >= 0 && size < 9e18F ? static_cast<std::int64_t>(size) : -1);
    }
  }
  return sizes;
}

/// Sizes of the parts along the axis; `split` is the input's tensor where there is one.
Result<std::vector<std::int64_t>> Sizes(const NodeFacts& node, const Tensor* split,
                                        std::int64_t dim) {
  const auto parts = static_cast<std::int64_t>(node.outputs_wanted.size());
  if (split != nullptr) return CheckedParts(SizesFrom(*split), dim, parts);
  if (node.op->since < 13 && node.attributes.Has("split")) {
    return CheckedParts(node.attributes.Ints("split", {}), dim, parts);
  }
  return EqualParts(node, dim, parts);
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "split"));
  const Shape& shape = node.shape(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(shape))));
  if (node.Has(1) && node.attributes.Has("num_outputs")) {
    return Invalid("both input `split` and attribute `num_outputs` are given");
  }
  Facts outputs(node.outputs_wanted.size(), TensorFacts(node.dtype(0)));
  if (DependsOnData(node, 1)) return outputs;
  const Tensor* split = node.Has(1) ? node.inputs[1].constant : nullptr;
  const std::vector<std::int64_t> sizes = TRY(Sizes(node, split, shape[axis]));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Shape part = shape;
    part[axis] = sizes[i];
    outputs[i].shape = std::move(part);
  }
  return outputs;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), in.rank())));
  const std::vector<std::int64_t> sizes =
      TRY(Sizes(node, node.Has(1) ? context.input(1) : nullptr, in.shape()[axis]));
  const std::int64_t outer = CountOf(in.shape(), 0, axis);
  const std::int64_t inner = CountOf(in.shape(), axis + 1, in.shape().size());
  const std::int64_t row = in.shape()[axis] * inner;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t piece = sizes[i] * inner;
    if (Wanted(node, i)) {
      Shape part = in.shape();
      part[axis] = sizes[i];
      Tensor* out = TRY(OutputOf(node, context, i, in.dtype(), part));
      // The plan may have placed it where it is already.
      const bool there = outer == 1 && LiesAt(*out, in, offset);
      const StridedBox box{
          .dims = {outer, piece}, .from = {row, 1}, .to = {piece, 1}, .from_offset = offset};
      if (!there) CopyBox(context, box, in, *out);
    }
    offset += piece;
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "split", .run = Run}};

consteval OpDef Row(int since, std::string_view signature, std::span<const TypeRule> types,
                    std::string_view attributes) {
  return {.type = "Split",
          .since = since,
          .signature = signature,
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_split() {
  static constexpr auto kOps = Versions({
      Row(1, "input:T, split?:T -> outputs*:T", kT<kFloatTypes>, "axis:int, split:ints"),
      Row(2, "input:T -> outputs*:T", kT<kClassicTypes>, "axis:int=0, split:ints"),
      Row(11, "input:T -> outputs*:T", kT<kClassicTypes>, "axis:int=0, split:ints"),
      Row(13, "input:T, split?:int64 -> outputs*:T", kT<kTypes13>, "axis:int=0"),
      Row(18, "input:T, split?:int64 -> outputs*:T", kT<kTypes13>, "axis:int=0, num_outputs:int"),
  });
  return kOps;
}

}  // namespace slipway::runtime
