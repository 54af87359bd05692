// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// What an element costs to move, in operations.
constexpr double kMoveWork = 8;
/// What an element costs in LRN beside its neighbours.
constexpr double kLrnWork = 64;

/// Moves some images at a time.
class ReorderExecutable final : public Executable {
 public:
  ReorderExecutable(const Shape& plain, std::int64_t block, bool to_blocks,
                    const dnnl::engine& engine)
      : batch_(plain[0]),
        part_(StepsOf(batch_, kMoveWork * static_cast<double>(CountOf(plain, 1, 4)))),
        change_(Desc(plain, to_blocks ? 0 : block), Desc(plain, to_blocks ? block : 0), engine) {}

  Result<void> Run(KernelContext& context) const override {
    try {
      const float* x = context.input(0)->data<float>().data();
      float* y = context.output(0).data<float>().data();
      const std::int64_t x_item = context.input(0)->size() / batch_;
      const std::int64_t y_item = context.output(0).size() / batch_;
      ForParts(batch_, part_,
               [&](std::int64_t first) { change_.Bring(x + first * x_item, y + first * y_item); });
    } catch (const dnnl::error& error) {
      return DnnlError("change of layout", error);
    }
    return {};
  }

 private:
  dnnl::memory::desc Desc(Shape shape, std::int64_t block) const {
    shape[0] = part_;
    return block > 0 ? BlockedDesc(shape, block) : PlainDesc(shape);
  }

  std::int64_t batch_, part_;
  LayoutChange change_;
};

Result<std::unique_ptr<Executable>> PrepareReorder(const Shape& plain, std::int64_t block,
                                                   bool to_blocks, DeviceContext& device) {
  try {
    return std::unique_ptr<Executable>(
        new ReorderExecutable(plain, block, to_blocks, Cpu(device).engine()));
  } catch (const dnnl::error& error) {
    return DnnlError("change of layout", error);
  }
}

dnnl::lrn_forward::primitive_desc LrnDesc(const NodeFacts& node, const Shape& shape,
                                          std::int64_t block, const dnnl::engine& engine) {
  const Attributes& attributes = node.attributes;
  return {{dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels,
           BlockedDesc(shape, block), attributes.Int("size", 1), attributes.Float("alpha", 1e-4F),
           attributes.Float("beta", 0.75F), attributes.Float("bias", 1)},
          UserScratchpad(),
          engine};
}

class BlockedLrn final : public Executable {
 public:
  BlockedLrn(const dnnl::lrn_forward::primitive_desc& desc, const dnnl::engine& engine)
      : part_(desc.src_desc().dims()[0]),
        scratch_bytes_(static_cast<std::int64_t>(desc.scratchpad_desc().get_size())),
        call_(dnnl::lrn_forward(desc), engine,
              {{DNNL_ARG_SRC, desc.src_desc()},
               {DNNL_ARG_DST, desc.dst_desc()},
               {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()}}) {}

  std::int64_t scratch_bytes() const override { return scratch_bytes_; }

  Result<void> Run(KernelContext& context) const override {
    try {
      const float* x = context.input(0)->data<float>().data();
      const float* y = context.output(0).data<float>().data();
      const std::int64_t batch = context.output(0).dim(0);
      const std::int64_t item = context.output(0).size() / batch;
      ForParts(batch, part_, [&](std::int64_t first) {
        call_.Run({x + first * item, y + first * item, context.scratch().data()});
      });
    } catch (const dnnl::error& error) {
      return DnnlError("local response normalisation", error);
    }
    return {};
  }

 private:
  std::int64_t part_, scratch_bytes_;
  DnnlCall call_;
};

/// Some images of `plain`, as many as one call may take.
Shape LrnPart(const NodeFacts& node, Shape plain) {
  const auto size = static_cast<double>(node.attributes.Int("size", 1));
  plain[0] = StepsOf(plain[0], (kLrnWork + size) * static_cast<double>(CountOf(plain, 1, 4)));
  return plain;
}

}  // namespace

std::int64_t ChannelBlock() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
      return 0;
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
      return 8;
    default:
      return 16;
  }
}

Shape BlockedShape(const Shape& plain, std::int64_t block) {
  return {plain[0], (plain[1] + block - 1) / block, plain[2], plain[3], block};
}

Shape PlainShape(const Shape& shape, std::int64_t channels) {
  if (shape.size() != 5) return shape;
  return {shape[0], channels, shape[2], shape[3]};
}

bool HasBlockedLrn(const NodeFacts& node, std::int64_t block, DeviceContext& device) {
  const std::int64_t size = node.attributes.Int("size", 1);
  const Shape& shape = node.shape(0);
  if (size % 2 == 0 || size > shape[1] || shape[1] % block != 0) return false;
  try {
    const auto desc = LrnDesc(node, LrnPart(node, shape), block, Cpu(device).engine());
    return std::string_view(desc.impl_info_str()).starts_with("jit");
  } catch (const dnnl::error&) {
    return false;
  }
}

Result<std::unique_ptr<Executable>> PrepareBlockedLrn(const NodeFacts& node,
                                                      DeviceContext& device) {
  const Shape& shape = node.shape(0);
  const dnnl::engine& engine = Cpu(device).engine();
  try {
    const Shape part = LrnPart(node, PlainShape(shape, shape[1] * shape[4]));
    return std::unique_ptr<Executable>(
        new BlockedLrn(LrnDesc(node, part, shape[4], engine), engine));
  } catch (const dnnl::error& error) {
    return DnnlError("local response normalisation", error);
  }
}

Result<std::unique_ptr<Executable>> PrepareToBlocks(const NodeFacts& node, DeviceContext& device) {
  return PrepareReorder(node.shape(0), node.outputs[0].shape->back(), true, device);
}

Result<std::unique_ptr<Executable>> PrepareFromBlocks(const NodeFacts& node,
                                                      DeviceContext& device) {
  return PrepareReorder(*node.outputs[0].shape, node.shape(0).back(), false, device);
}

}  // namespace slipway::runtime
