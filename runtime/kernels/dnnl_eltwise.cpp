// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_eltwise.h"

#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kFewElements = 512;

dnnl::algorithm AlgorithmOf(EltwiseFunction function) {
  switch (function) {
    case EltwiseFunction::kTanh:
      return dnnl::algorithm::eltwise_tanh;
    case EltwiseFunction::kLogistic:
      return dnnl::algorithm::eltwise_logistic;
    case EltwiseFunction::kGeluErf:
      return dnnl::algorithm::eltwise_gelu_erf;
    case EltwiseFunction::kGeluTanh:
      return dnnl::algorithm::eltwise_gelu_tanh;
  }
  return dnnl::algorithm::undef;
}

class EltwiseExecutable final : public Executable {
 public:
  EltwiseExecutable(const dnnl::eltwise_forward::primitive_desc& desc, const dnnl::engine& engine)
      : engine_(engine), desc_(desc.src_desc()), primitive_(desc) {}

  Result<void> Run(KernelContext& context) const override {
    try {
      dnnl::stream& stream = CpuStream(engine_);
      dnnl::memory from = Over(desc_, engine_, context.input(0)->raw());
      dnnl::memory to = Over(desc_, engine_, context.output(0).raw());
      primitive_.execute(stream, {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}});
      stream.wait();
    } catch (const dnnl::error& error) {
      return DnnlError("eltwise", error);
    }
    return {};
  }

 private:
  dnnl::engine engine_;
  dnnl::memory::desc desc_;
  dnnl::eltwise_forward primitive_;
};

}  // namespace

std::string DeclineEltwise(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 1);
  if (!why.empty()) return why;
  const std::int64_t count = CountOf(node.shape(0), 0, node.shape(0).size());
  return count < kFewElements ? Message("only ", count, " elements") : "";
}

Result<std::unique_ptr<Executable>> PrepareEltwise(const NodeFacts& node, DeviceContext& device,
                                                   EltwiseFunction function) {
  const dnnl::engine& engine = Cpu(device).engine();
  const Shape flat{CountOf(node.shape(0), 0, node.shape(0).size())};
  try {
    const dnnl::eltwise_forward::desc desc(dnnl::prop_kind::forward_inference,
                                           AlgorithmOf(function), PlainDesc(flat));
    const dnnl::eltwise_forward::primitive_desc primitive(desc, UserScratchpad(), engine);
    return std::unique_ptr<Executable>(new EltwiseExecutable(primitive, engine));
  } catch (const dnnl::error& error) {
    return DnnlError("eltwise", error);
  }
}

}  // namespace slipway::runtime
