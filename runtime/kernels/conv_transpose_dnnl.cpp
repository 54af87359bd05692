// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "runtime/kernels/conv_transpose.h"
#include "runtime/kernels/dnnl_helpers.h"

namespace slipway::runtime {
namespace {

using dnnl::deconvolution_forward;
using dnnl::memory;

/// Weights [C, M / g, kernel...] as oneDNN sees them: [g, M / g, C / g, kernel...], without g
/// where there is one group.
Shape WeightDims(const ConvShape& shape, const Shape& w) {
  Shape dims;
  if (shape.groups > 1) dims.push_back(shape.groups);
  dims.push_back(w[1]);
  dims.push_back(w[0] / shape.groups);
  dims.insert(dims.end(), w.begin() + 2, w.end());
  return dims;
}

memory::desc WeightDesc(const ConvShape& shape, const Shape& w) {
  const Shape dims = WeightDims(shape, w);
  const std::int64_t kernel = shape.window.kernel_size();
  memory::dims strides;
  if (shape.groups > 1) strides.push_back(w[0] / shape.groups * w[1] * kernel);
  strides.push_back(kernel);
  strides.push_back(w[1] * kernel);
  std::int64_t stride = kernel;
  for (const std::int64_t size : shape.window.kernel) {
    stride /= size;
    strides.push_back(stride);
  }
  return {dims, memory::data_type::f32, strides};
}

std::vector<std::int64_t> PadsEnd(const Window& window) {
  std::vector<std::int64_t> pads;
  for (std::size_t d = 0; d < window.input.size(); ++d) {
    const std::int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
    pads.push_back((window.output[d] - 1) * window.strides[d] + reach - window.pads_begin[d] -
                   window.input[d]);
  }
  return pads;
}

class DeconvExecutable final : public Executable {
 public:
  DeconvExecutable(const NodeFacts& node, const ConvShape& shape,
                   const deconvolution_forward::primitive_desc& desc, std::optional<Tensor> packed,
                   const dnnl::engine& engine)
      : desc_(desc),
        call_(deconvolution_forward(desc), engine, ConvolutionArguments(desc, node.Has(2))),
        items_(desc.src_desc().dims()[0]),
        x_change_(PlainDesc(desc.src_desc().dims()), desc.src_desc(), engine),
        y_change_(desc.dst_desc(), PlainDesc(desc.dst_desc().dims()), engine),
        packed_(std::move(packed)),
        has_bias_(node.Has(2)) {
    if (!packed_) w_change_.emplace(WeightDesc(shape, node.shape(1)), desc.weights_desc(), engine);
    x_at_ = scratch_.Add(x_change_.room_bytes());
    w_at_ = scratch_.Add(w_change_ ? w_change_->room_bytes() : 0);
    y_at_ = scratch_.Add(y_change_.needed() ? desc_.dst_desc().get_size() : 0);
    pad_at_ = scratch_.Add(desc_.scratchpad_desc().get_size());
  }

  std::int64_t scratch_bytes() const override { return scratch_.bytes(); }

  Result<void> Run(KernelContext& context) const override {
    try {
      const std::int64_t batch = context.output(0).dim(0);
      const std::int64_t x = context.input(0)->size() / batch;
      const std::int64_t y = context.output(0).size() / batch;
      ForParts(batch, items_, [&](std::int64_t first) { Execute(context, first * x, first * y); });
    } catch (const dnnl::error& error) {
      return DnnlError("deconvolution", error);
    }
    return {};
  }

 private:
  void Execute(KernelContext& context, std::int64_t x_offset, std::int64_t y_offset) const {
    std::byte* room = context.scratch().data();
    const float* from = context.input(0)->data<float>().data() + x_offset;
    const void* x = x_change_.Bring(from, room + x_at_);
    const void* w =
        packed_ ? packed_->raw() : w_change_->Bring(context.input(1)->raw(), room + w_at_);
    float* out = context.output(0).data<float>().data() + y_offset;
    void* y = y_change_.needed() ? room + y_at_ : static_cast<void*>(out);
    const void* bias = has_bias_ ? context.input(2)->raw() : nullptr;
    const std::array<const void*, 5> data = {x, w, y, room + pad_at_, bias};
    call_.Run(std::span(data).first(has_bias_ ? 5 : 4));
    if (y_change_.needed()) y_change_.Bring(y, out);
  }

  deconvolution_forward::primitive_desc desc_;
  DnnlCall call_;
  std::int64_t items_;  ///< of the batch, at a time
  LayoutChange x_change_, y_change_;
  std::optional<LayoutChange> w_change_;  // nothing where the weights are packed_
  std::optional<Tensor> packed_;
  bool has_bias_;
  ScratchLayout scratch_;
  std::int64_t x_at_ = 0, w_at_ = 0, y_at_ = 0, pad_at_ = 0;
};

}  // namespace

std::string DeclineConvTransposeDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  const Result<ConvShape> shape = TransposeShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->window.input.size() > 3) return Message(shape->window.input.size(), " dimensions");
  const std::vector<std::int64_t> pads = PadsEnd(shape->window);
  for (std::size_t d = 0; d < pads.size(); ++d) {
    const std::int64_t reach = (shape->window.kernel[d] - 1) * shape->window.dilations[d] + 1;
    if (pads[d] < 0) return "the output is longer than the windows reach";
    if (pads[d] >= reach || shape->window.pads_begin[d] >= reach) {
      return "padding is wider than the kernel";
    }
  }
  return "";
}

Result<std::unique_ptr<Executable>> PrepareConvTransposeDnnl(const NodeFacts& node,
                                                             DeviceContext& device) {
  CpuContext& cpu = Cpu(device);
  const ConvShape shape = TRY(TransposeShapeOf(node));
  const Window& window = shape.window;
  memory::dims dilations;
  for (const std::int64_t d : window.dilations) dilations.push_back(d - 1);
  Shape x = node.shape(0);
  Shape y = *node.outputs[0].shape;
  const std::int64_t channels = shape.out_channels / shape.groups;
  const double taps = static_cast<double>(channels) * static_cast<double>(window.kernel_size());
  x[0] = StepsOf(x[0], 2 * taps * static_cast<double>(CountOf(x, 1, x.size())));
  y[0] = x[0];
  const memory::desc bias = node.Has(2) ? PlainDesc(node.shape(2)) : memory::desc();
  try {
    const deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, AnyDesc(x),
        AnyDesc(WeightDims(shape, node.shape(1))), bias, AnyDesc(y), window.strides, dilations,
        window.pads_begin, PadsEnd(window));
    const deconvolution_forward::primitive_desc primitive(desc, UserScratchpad(), cpu.engine());
    std::optional<Tensor> packed;
    if (const Tensor* weights = node.inputs[1].constant) {
      packed =
          TRY(PackedFor(cpu, *weights, WeightDesc(shape, node.shape(1)), primitive.weights_desc()));
    }
    return std::unique_ptr<Executable>(
        new DeconvExecutable(node, shape, primitive, std::move(packed), cpu.engine()));
  } catch (const dnnl::error& error) {
    return DnnlError("deconvolution", error);
  }
}

}  // namespace slipway::runtime
