// SPDX-License-Identifier: Apache-2.0
// DepthToSpace (opsets 1, 11 with `mode`, 13, 28), SpaceToDepth (1, 13, 28 with `mode`).
// Spec: https://onnx.ai/onnx/operators/onnx__DepthToSpace.html, onnx__SpaceToDepth.html
#include "base/limits.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<std::int64_t> BlockOf(const NodeFacts& node) {
  const std::int64_t block = node.attributes.Int("blocksize", 0);
  if (node.shape(0).size() != 4) return Invalid("input of ", node.shape(0), " is not [N, C, H, W]");
  if (block < 1 || block > (std::int64_t{1} << 20)) {
    return Invalid("attribute `blocksize` is ", block);
  }
  const std::string_view mode = node.attributes.String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return Invalid("attribute `mode` is `", mode, "`");
  return block;
}

Result<Facts> InferDepthToSpace(const NodeFacts& node) {
  const std::int64_t block = TRY(BlockOf(node));
  const Shape& x = node.shape(0);
  if (x[1] % (block * block) != 0) {
    return Invalid(x[1], " channels do not make blocks of ", block, " by ", block);
  }
  const std::int64_t height = TRY(CheckedMul(x[2], block, "the height"));
  const std::int64_t width = TRY(CheckedMul(x[3], block, "the width"));
  return Facts{TensorFacts(node.dtype(0), {x[0], x[1] / (block * block), height, width})};
}

Result<Facts> InferSpaceToDepth(const NodeFacts& node) {
  const std::int64_t block = TRY(BlockOf(node));
  const Shape& x = node.shape(0);
  if (x[2] % block != 0 || x[3] % block != 0) {
    return Invalid("image of ", x, " does not divide into blocks of ", block);
  }
  const std::int64_t channels = TRY(CheckedMul(x[1], block * block, "channels"));
  return Facts{TensorFacts(node.dtype(0), {x[0], channels, x[2] / block, x[3] / block})};
}

/// Both go between [N, C b b, H, W] and [N, C, H b, W b].
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const bool to_space = node.op->type == "DepthToSpace";
  const std::int64_t b = TRY(BlockOf(node));
  const Tensor& in = *context.input(0);
  Tensor& out = context.output(0);
  const Shape& space = to_space ? out.shape() : in.shape();
  const std::int64_t c = space[1];
  const std::int64_t h = space[2] / b;
  const std::int64_t w = space[3] / b;
  const bool depth_first = node.attributes.String("mode", "DCR") == "DCR";
  const std::int64_t plane = h * w;
  const Strides deep{b * b * c * plane,
                     depth_first ? plane : b * b * plane,
                     w,
                     depth_first ? b * c * plane : b * plane,
                     1,
                     depth_first ? c * plane : plane};
  const Strides wide{c * b * b * plane, b * b * plane, b * w * b, w * b, b, 1};
  CopyBox(context,
          {.dims = {space[0], c, h, b, w, b},
           .from = to_space ? deep : wide,
           .to = to_space ? wide : deep},
          in, out);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "block_move", .run = Run}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    bool has_mode) {
  return {.type = type,
          .since = since,
          .signature = "input:T -> output:T",
          .types = types,
          .attributes = has_mode ? "blocksize!:int, mode:string=DCR" : "blocksize!:int",
          .infer = type == "DepthToSpace" ? InferDepthToSpace : InferSpaceToDepth,
          .kernels = kKernels};
}

}  // namespace

OpList ops_depth_to_space() {
  static constexpr auto kOps = Versions({
      Row("DepthToSpace", 1, kT<kClassicTypes>, false),
      Row("DepthToSpace", 11, kT<kClassicTypes>, true),
      Row("DepthToSpace", 13, kT<kTypes13>, true),
      Row("DepthToSpace", 28, kT<kTypes13>, true),
      Row("SpaceToDepth", 1, kT<kClassicTypes>, false),
      Row("SpaceToDepth", 13, kT<kTypes13>, false),
      Row("SpaceToDepth", 28, kT<kTypes13>, true),
  });
  return kOps;
}

}  // namespace slipway::runtime
