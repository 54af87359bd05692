// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_eltwise.h"

#include <optional>

#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kFewElements = 512;

dnnl::algorithm AlgorithmOf(EltwiseFunction function) {
  switch (function) {
    case EltwiseFunction::kGeluErf:
      return dnnl::algorithm::eltwise_gelu_erf;
    case EltwiseFunction::kGeluTanh:
      return dnnl::algorithm::eltwise_gelu_tanh;
  }
  return dnnl::algorithm::undef;
}

/// What an element costs, in operations.
constexpr double kWork = 64;

/// A primitive for so many elements.
struct Flat {
  Flat(std::int64_t count, EltwiseFunction function, const dnnl::engine& engine)
      : desc(PlainDesc({count})),
        call(dnnl::eltwise_forward(
                 {{dnnl::prop_kind::forward_inference, AlgorithmOf(function), desc},
                  UserScratchpad(),
                  engine}),
             engine, {{DNNL_ARG_SRC, desc}, {DNNL_ARG_DST, desc}}) {}
  dnnl::memory::desc desc;
  DnnlCall call;
};

/// Elements some at a time. Input and output may be the same memory.
class EltwiseExecutable final : public Executable {
 public:
  EltwiseExecutable(std::int64_t count, EltwiseFunction function, const dnnl::engine& engine)
      : count_(count), part_(StepsOf(count, kWork)), flat_(part_, function, engine) {
    if (const std::int64_t rest = count % part_; rest > 0) rest_.emplace(rest, function, engine);
  }

  Result<void> Run(KernelContext& context) const override {
    try {
      const float* x = context.input(0)->data<float>().data();
      const float* y = context.output(0).data<float>().data();
      for (std::int64_t at = 0; at < count_; at += part_) {
        if (part_ < count_ && MustStop()) break;
        const Flat& flat = at + part_ <= count_ ? flat_ : *rest_;
        flat.call.Run({x + at, y + at});
      }
    } catch (const dnnl::error& error) {
      return DnnlError("eltwise", error);
    }
    return {};
  }

 private:
  std::int64_t count_, part_;
  Flat flat_;
  std::optional<Flat> rest_;
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
  const std::int64_t count = CountOf(node.shape(0), 0, node.shape(0).size());
  try {
    return std::unique_ptr<Executable>(new EltwiseExecutable(count, function, engine));
  } catch (const dnnl::error& error) {
    return DnnlError("eltwise", error);
  }
}

}  // namespace slipway::runtime
