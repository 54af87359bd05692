// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Moves some images at a time.
class ReorderExecutable final : public Executable {
 public:
  ReorderExecutable(const Shape& plain, std::int64_t block, bool to_blocks,
                    const dnnl::engine& engine)
      : batch_(plain[0]),
        part_(StepsOf(batch_, kMoveWork * static_cast<double>(CountOf(plain, 1, 4)))),
        change_(Desc(plain, to_blocks ? 0 : block), Desc(plain, to_blocks ? block : 0), engine) {}

  Result<void> Run(KernelContext& context) const override {
    const double work = kMoveWork * static_cast<double>(context.input(0)->size());
    const ThreadScope threads(ThreadsFor(work, context.threads()));
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
  const double work = kMoveWork * static_cast<double>(CountOf(plain, 0, plain.size()));
  const ThreadScope threads(ThreadsFor(work, device.threads()));
  try {
    return std::unique_ptr<Executable>(
        new ReorderExecutable(plain, block, to_blocks, Cpu(device).engine()));
  } catch (const dnnl::error& error) {
    return DnnlError("change of layout", error);
  }
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

Result<std::unique_ptr<Executable>> PrepareToBlocks(const NodeFacts& node, DeviceContext& device) {
  return PrepareReorder(node.shape(0), node.outputs[0].shape->back(), true, device);
}

Result<std::unique_ptr<Executable>> PrepareFromBlocks(const NodeFacts& node,
                                                      DeviceContext& device) {
  return PrepareReorder(*node.outputs[0].shape, node.shape(0).back(), false, device);
}

}  // namespace slipway::runtime
