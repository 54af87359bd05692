// SPDX-License-Identifier: Apache-2.0
// Reshape (opsets 1, 5, 13, 14, 19, 21, 23, 24, 25), Flatten (1, 9, 11, 13, 21, 23, 24, 25).
// Spec: https://onnx.ai/onnx/operators/onnx__Reshape.html, onnx__Flatten.html
#include <algorithm>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Shape> ResolveShape(const Shape& from, Shape to, bool allow_zero) {
  std::int64_t inferred = -1;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !allow_zero) {
      if (i >= from.size())
        return Invalid("dimension ", i, " of ", to, " is 0, but ", from, " has none");
      to[i] = from[i];
    }
    if (to[i] < -1) return Invalid("dimension ", i, " of ", to, " is negative");
    if (to[i] >= 0) {
      if (__builtin_mul_overflow(known, to[i], &known))
        return Invalid("shape ", to, " is too large");
      continue;
    }
    if (inferred >= 0) return Invalid("shape ", to, " leaves more than one dimension open");
    inferred = static_cast<std::int64_t>(i);
  }
  const std::int64_t count = CountOf(from, 0, from.size());
  if (inferred >= 0) {
    if (allow_zero && std::find(to.begin(), to.end(), 0) != to.end()) {
      return Invalid("shape ", to, " has both 0 and -1 and attribute `allowzero` is 1");
    }
    if (known == 0 ? count != 0 : count % known != 0) {
      return Invalid("shape ", from, " does not reshape to ", to);
    }
    to[At(inferred)] = known == 0 ? 0 : count / known;
    return to;
  }
  if (known != count) return Invalid("shape ", from, " does not reshape to ", to);
  return to;
}

Result<Facts> InferReshape(const NodeFacts& node) {
  const bool allow_zero = node.attributes.Int("allowzero", 0) != 0;
  if (node.op->since < 5) {
    return Facts{TensorFacts(
        node.dtype(0), TRY(ResolveShape(node.shape(0), node.attributes.Ints("shape", {}), false)))};
  }
  TRY(CheckVector(node, 1, "shape"));
  if (DependsOnData(node, 1)) return Facts{TensorFacts(node.dtype(0))};
  Shape to = TRY(ResolveShape(node.shape(0), *ConstantInts(node, 1), allow_zero));
  return Facts{TensorFacts(node.dtype(0), std::move(to))};
}

Result<void> RunReshape(const NodeFacts& node, KernelContext& context) {
  const Tensor& data = *context.input(0);
  if (node.outputs[0].shape) {
    CopyAll(data, context.output(0));
    return {};
  }
  const bool allow_zero = node.attributes.Int("allowzero", 0) != 0;
  Shape to = TRY(ResolveShape(data.shape(), IntsOf(context.input(1)), allow_zero));
  context.Set(0, data.Reshaped(std::move(to)));
  return {};
}

Result<Facts> InferFlatten(const NodeFacts& node) {
  const Shape& shape = node.shape(0);
  const std::int64_t rank = RankOf(shape);
  std::int64_t axis = node.attributes.Int("axis", 1);
  const std::int64_t least = node.op->since >= 11 ? -rank : 0;
  if (axis < least || axis > rank) {
    return Invalid("axis ", axis, " out of range [", least, ", ", rank, "]");
  }
  if (axis < 0) axis += rank;
  return Facts{TensorFacts(node.dtype(0),
                           {CountOf(shape, 0, At(axis)), CountOf(shape, At(axis), shape.size())})};
}

Result<void> RunFlatten(const NodeFacts&, KernelContext& context) {
  CopyAll(*context.input(0), context.output(0));
  return {};
}

constexpr Kernel kReshape[] = {{.name = "reshape", .run = RunReshape}};
constexpr Kernel kFlatten[] = {{.name = "flatten", .run = RunFlatten}};

consteval OpDef Reshape(int since, std::span<const TypeRule> types) {
  return {.type = "Reshape",
          .since = since,
          .signature = since < 5 ? "data:T -> reshaped:T" : "data:T, shape:int64 -> reshaped:T",
          .types = types,
          .attributes = since < 5    ? "consumed_inputs:ints, shape:ints"
                        : since < 14 ? ""
                                     : "allowzero:int=0",
          .infer = InferReshape,
          .kernels = kReshape,
          .view = true};
}

consteval OpDef Flatten(int since, std::span<const TypeRule> types) {
  return {.type = "Flatten",
          .since = since,
          .signature = "input:T -> output:T",
          .types = types,
          .attributes = "axis:int=1",
          .infer = InferFlatten,
          .kernels = kFlatten,
          .view = true};
}

}  // namespace

OpList ops_reshape() {
  static constexpr auto kOps = Versions({
      Reshape(1, kT<kFloatTypes>),
      Reshape(5, kT<kClassicTypes>),
      Reshape(13, kT<kTypes13>),
      Reshape(14, kT<kTypes13>),
      Reshape(19, kT<kTypes19>),
      Reshape(21, kT<kTypes21>),
      Reshape(23, kT<kTypes23>),
      Reshape(24, kT<kTypes24>),
      Reshape(25, kT<kTypes25>),
      Flatten(1, kT<kFloatTypes>),
      Flatten(9, kT<kClassicTypes>),
      Flatten(11, kT<kClassicTypes>),
      Flatten(13, kT<kTypes13>),
      Flatten(21, kT<kTypes21>),
      Flatten(23, kT<kTypes23>),
      Flatten(24, kT<kTypes24>),
      Flatten(25, kT<kTypes25>),
  });
  return kOps;
}

}  // namespace slipway::runtime
