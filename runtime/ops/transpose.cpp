// SPDX-License-Identifier: Apache-2.0
// Transpose: opsets 1, 13, 21, 23, 24, 25.
// Spec: https://onnx.ai/onnx/operators/onnx__Transpose.html
#include <numeric>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<std::vector<std::int64_t>> Permutation(const NodeFacts& node) {
  const std::int64_t rank = RankOf(node.shape(0));
  std::vector<std::int64_t> reversed(At(rank));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  std::vector<std::int64_t> perm = node.attributes.Ints("perm", std::move(reversed));
  if (static_cast<std::int64_t>(perm.size()) != rank) {
    return Invalid("attribute `perm` is ", perm, " for shape ", node.shape(0));
  }
  return NormalizeAxes(std::move(perm), rank);
}

Result<Facts> Infer(const NodeFacts& node) {
  const std::vector<std::int64_t> perm = TRY(Permutation(node));
  Shape shape;
  for (const std::int64_t axis : perm) shape.push_back(node.shape(0)[At(axis)]);
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

void Move(KernelContext& context, const std::vector<std::int64_t>& perm, const Tensor& from,
          Tensor& to) {
  StridedBox box{.dims = to.shape(), .from = {}, .to = ContiguousStrides(to.shape())};
  const Strides strides = ContiguousStrides(from.shape());
  for (const std::int64_t axis : perm) box.from.push_back(strides[At(axis)]);
  CopyBox(context, box, from, to);
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const std::vector<std::int64_t> perm = TRY(Permutation(node));
  const Tensor& from = *context.input(0);
  Tensor& to = context.output(0);
  if (!IsPacked(from.dtype())) {
    Move(context, perm, from, to);
    return {};
  }
  const Tensor wide_from = TRY(Unpacked(from));
  Tensor wide_to = TRY(Tensor::Make(DType::kUint8, to.shape()));
  Move(context, perm, wide_from, wide_to);
  PackInto(wide_to, to);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "transpose", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Transpose",
          .since = since,
          .signature = "data:T -> transposed:T",
          .types = types,
          .attributes = "perm:ints",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_transpose() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kClassicTypes>),
      Row(13, kT<kTypes13>),
      Row(21, kT<kTypes21>),
      Row(23, kT<kTypes23>),
      Row(24, kT<kTypes24>),
      Row(25, kT<kTypes25>),
  });
  return kOps;
}

}  // namespace slipway::runtime
