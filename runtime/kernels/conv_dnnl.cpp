// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {
namespace {

using dnnl::algorithm;
using dnnl::convolution_forward;
using dnnl::memory;

constexpr std::size_t kSpatialMost = 3;

struct ConvDescs {
  memory::desc x, w, b, y;
};

/// Weights [M, C / g, ...] as [g, M / g, C / g, ...] where there are groups.
Shape WeightDims(const ConvShape& shape, const Shape& w) {
  if (shape.groups == 1) return w;
  Shape dims{shape.groups, w[0] / shape.groups};
  dims.insert(dims.end(), w.begin() + 1, w.end());
  return dims;
}

void AppendActivation(const NodeFacts& node, ConvActivation activation, dnnl::post_ops& ops) {
  const float alpha = node.attributes.Float("activation_alpha", 0);
  const float beta = node.attributes.Float("activation_beta", 0);
  const auto add = [&](algorithm kind, float a, float b) { ops.append_eltwise(1, kind, a, b); };
  switch (activation) {
    case ConvActivation::kNone:
      return;
    case ConvActivation::kRelu:
      return add(algorithm::eltwise_relu, 0, 0);
    case ConvActivation::kClip:
      return add(algorithm::eltwise_clip_v2, alpha, beta);
    case ConvActivation::kLeakyRelu:
      return add(algorithm::eltwise_relu, alpha, 0);
    case ConvActivation::kSigmoid:
      return add(algorithm::eltwise_logistic, 0, 0);
    case ConvActivation::kTanh:
      return add(algorithm::eltwise_tanh, 0, 0);
    case ConvActivation::kElu:
      return add(algorithm::eltwise_elu, alpha, 0);
    case ConvActivation::kHardSwish:
      return add(algorithm::eltwise_hardswish, 0, 0);
    case ConvActivation::kHardSigmoid:
      add(algorithm::eltwise_linear, alpha, beta);
      return add(algorithm::eltwise_clip_v2, 0, 1);
  }
}

convolution_forward::primitive_desc MakeDesc(const NodeFacts& node, const ConvShape& shape,
                                             ConvActivation activation,
                                             const dnnl::engine& engine) {
  memory::dims dilations;
  for (const std::int64_t d : shape.window.dilations) dilations.push_back(d - 1);
  memory::dims pads_end;
  const Window& window = shape.window;
  for (std::size_t d = 0; d < window.input.size(); ++d) {
    const std::int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
    pads_end.push_back((window.output[d] - 1) * window.strides[d] + reach - window.input[d] -
                       window.pads_begin[d]);
  }
  const bool has_bias = node.Has(2);
  const memory::desc x = AnyDesc(node.shape(0));
  const memory::desc w = AnyDesc(WeightDims(shape, node.shape(1)));
  const memory::desc y = AnyDesc(*node.outputs[0].shape);
  const memory::desc b = has_bias ? PlainDesc(node.shape(2)) : memory::desc();
  dnnl::primitive_attr attributes = UserScratchpad();
  dnnl::post_ops ops;
  if (node.Has(3)) ops.append_sum(1);
  AppendActivation(node, activation, ops);
  attributes.set_post_ops(ops);
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto desc =
      has_bias ? convolution_forward::desc(kind, algorithm::convolution_direct, x, w, b, y,
                                           window.strides, dilations, window.pads_begin, pads_end)
               : convolution_forward::desc(kind, algorithm::convolution_direct, x, w, y,
                                           window.strides, dilations, window.pads_begin, pads_end);
  return {desc, attributes, engine};
}

class ConvExecutable final : public Executable {
 public:
  ConvExecutable(const NodeFacts& node, const ConvShape& shape,
                 const convolution_forward::primitive_desc& desc, std::optional<Tensor> packed,
                 const dnnl::engine& engine)
      : engine_(engine),
        desc_(desc),
        primitive_(desc),
        x_(PlainDesc(node.shape(0))),
        w_(PlainDesc(WeightDims(shape, node.shape(1)))),
        y_(PlainDesc(*node.outputs[0].shape)),
        packed_(std::move(packed)),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)) {
    x_at_ = scratch_.Add(desc_.src_desc() == x_ ? 0 : desc_.src_desc().get_size());
    w_at_ = scratch_.Add(packed_ ? 0 : desc_.weights_desc().get_size());
    y_at_ = scratch_.Add(desc_.dst_desc() == y_ ? 0 : desc_.dst_desc().get_size());
    pad_at_ = scratch_.Add(desc_.scratchpad_desc().get_size());
  }

  std::int64_t scratch_bytes() const override { return scratch_.bytes(); }

  Result<void> Run(KernelContext& context) const override {
    try {
      Execute(context);
    } catch (const dnnl::error& error) {
      return DnnlError("convolution", error);
    }
    return {};
  }

 private:
  /// `data` in the layout the primitive wants, through scratch where it differs.
  memory Brought(const memory::desc& have, const memory::desc& want, const void* data,
                 std::byte* room) const {
    memory plain = Over(have, engine_, data);
    if (have == want) return plain;
    memory wanted = Over(want, engine_, room);
    Reorder(plain, wanted, engine_);
    return wanted;
  }

  void Execute(KernelContext& context) const {
    std::byte* room = context.scratch().data();
    memory x = Brought(x_, desc_.src_desc(), context.input(0)->raw(), room + x_at_);
    memory w = packed_ ? Over(desc_.weights_desc(), engine_, packed_->raw())
                       : Brought(w_, desc_.weights_desc(), context.input(1)->raw(), room + w_at_);
    Tensor& out = context.output(0);
    const bool same = desc_.dst_desc() == y_;
    memory y = Over(desc_.dst_desc(), engine_, same ? out.raw() : static_cast<void*>(room + y_at_));
    if (has_sum_) {
      memory z = Over(y_, engine_, context.input(3)->raw());
      if (!same || out.raw() != context.input(3)->raw()) Reorder(z, y, engine_);
    }
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, x},
        {DNNL_ARG_WEIGHTS, w},
        {DNNL_ARG_DST, y},
        {DNNL_ARG_SCRATCHPAD, Over(desc_.scratchpad_desc(), engine_, room + pad_at_)}};
    if (has_bias_) {
      arguments[DNNL_ARG_BIAS] = Over(desc_.bias_desc(), engine_, context.input(2)->raw());
    }
    dnnl::stream& stream = CpuStream(engine_);
    primitive_.execute(stream, arguments);
    stream.wait();
    if (same) return;
    memory plain = Over(y_, engine_, out.raw());
    Reorder(y, plain, engine_);
  }

  dnnl::engine engine_;
  convolution_forward::primitive_desc desc_;
  convolution_forward primitive_;
  memory::desc x_, w_, y_;
  std::optional<Tensor> packed_;
  bool has_bias_, has_sum_;
  ScratchLayout scratch_;
  std::int64_t x_at_ = 0, w_at_ = 0, y_at_ = 0, pad_at_ = 0;
};

}  // namespace

std::string DeclineConvDnnl(const NodeFacts& node) {
  const std::string why = DeclineUnlessFloat32(node, 4);
  if (!why.empty()) return why;
  const std::size_t spatial = node.shape(0).size() - 2;
  if (spatial > kSpatialMost) return Message(spatial, " spatial dimensions");
  return "";
}

Result<std::unique_ptr<Executable>> PrepareConvDnnl(const NodeFacts& node, DeviceContext& device) {
  CpuContext& cpu = Cpu(device);
  const ConvShape shape = TRY(ConvShapeOf(node));
  const ConvActivation activation = TRY(ConvActivationOf(node));
  try {
    const auto desc = MakeDesc(node, shape, activation, cpu.engine());
    std::optional<Tensor> packed;
    if (const Tensor* weights = node.inputs[1].constant) {
      packed = TRY(PackedFor(cpu, *weights, PlainDesc(WeightDims(shape, node.shape(1))),
                             desc.weights_desc()));
    }
    return std::unique_ptr<Executable>(
        new ConvExecutable(node, shape, desc, std::move(packed), cpu.engine()));
  } catch (const dnnl::error& error) {
    return DnnlError("convolution", error);
  }
}

}  // namespace slipway::runtime
