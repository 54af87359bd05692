// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/lrn.h"

namespace slipway::runtime {
namespace {

/// What an element costs beside its neighbours, in operations.
constexpr double kWork = 64;

class LrnExecutable final : public Executable {
 public:
  LrnExecutable(const dnnl::lrn_forward::primitive_desc& desc, const dnnl::engine& engine)
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

}  // namespace

std::string DeclineLrnDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 1);
  if (!why.empty()) return why;
  const std::size_t rank = node.shape(0).size();
  if (rank != 4) return Message("rank ", rank);
  const std::int64_t size = node.attributes.Int("size", 1);
  if (size % 2 == 0) return Message("even size ", size);
  return size > node.shape(0)[1] ? Message("size ", size, " is over the channels") : "";
}

Result<std::unique_ptr<Executable>> PrepareLrnDnnl(const NodeFacts& node, DeviceContext& device) {
  const dnnl::engine& engine = Cpu(device).engine();
  const Attributes& attributes = node.attributes;
  Shape part = node.shape(0);
  const auto size = static_cast<double>(attributes.Int("size", 1));
  part[0] = StepsOf(part[0], (kWork + size) * static_cast<double>(CountOf(part, 1, part.size())));
  try {
    const dnnl::lrn_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels, PlainDesc(part),
        attributes.Int("size", 1), attributes.Float("alpha", 1e-4F),
        attributes.Float("beta", 0.75F), attributes.Float("bias", 1));
    const dnnl::lrn_forward::primitive_desc primitive(desc, UserScratchpad(), engine);
    return std::unique_ptr<Executable>(new LrnExecutable(primitive, engine));
  } catch (const dnnl::error& error) {
    return DnnlError("local response normalisation", error);
  }
}

}  // namespace slipway::runtime
