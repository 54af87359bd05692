// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/conv_part.h"
#include "runtime/kernels/conv_transpose.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/work.h"

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

/// What windows reach of the output, which may begin before it and end after it: elements there
/// have the bias alone.
struct Reached {
  ConvShape shape;                 ///< of what they reach
  std::vector<std::int64_t> lead;  ///< elements before it, for each spatial dimension
  bool all = true;
};

Reached ReachedOf(const ConvShape& whole) {
  Reached reached{.shape = whole, .lead = {}};
  Window& window = reached.shape.window;
  const std::vector<std::int64_t> pads_end = PadsEnd(whole.window);
  for (std::size_t d = 0; d < pads_end.size(); ++d) {
    const std::int64_t lead = std::max<std::int64_t>(0, -window.pads_begin[d]);
    const std::int64_t tail = std::max<std::int64_t>(0, -pads_end[d]);
    reached.lead.push_back(lead);
    reached.all = reached.all && lead + tail == 0;
    window.input[d] -= lead + tail;
    window.pads_begin[d] += lead;
  }
  return reached;
}

/// Shape of the output that windows reach.
Shape ReachedShape(const ConvShape& shape, Shape whole) {
  std::ranges::copy(shape.window.input, whole.begin() + 2);
  return whole;
}

/// Rows `row` to `end` of the output.
ConvPart RowsOf(const Window& window, ConvPart items, std::int64_t row, std::int64_t end) {
  const std::int64_t stride = window.strides[0];
  const std::int64_t pad = window.pads_begin[0];
  const std::int64_t reach = (window.kernel[0] - 1) * window.dilations[0] + 1;
  const std::int64_t first = std::max<std::int64_t>(0, row + pad - (reach - 1));
  const std::int64_t input_end = std::min(window.output[0], (end - 1 + pad) / stride + 1);
  items.row = row;
  items.rows = end - row;
  items.input_row = (first + stride - 1) / stride;
  items.input_rows = input_end - items.input_row;
  items.pad_begin = row + pad - items.input_row * stride;
  items.pad_end = (items.input_rows - 1) * stride + reach - items.pad_begin - items.rows;
  return items;
}

/// The whole in parts short enough to end between them. Rows are cut where a window begins; rows
/// before it that no window reaches are in no part.
std::vector<ConvPart> PartsOf(const ConvShape& shape, double at_once) {
  const Window& window = shape.window;
  const std::int64_t taps = shape.out_channels / shape.groups * window.kernel_size();
  const double image = 2.0 * static_cast<double>(taps) * static_cast<double>(shape.in_channels) *
                       static_cast<double>(window.output_size());
  const std::int64_t items = StepsWithin(shape.batch, image, at_once);
  const std::int64_t all_rows = window.output[0];
  const std::int64_t reach = (window.kernel[0] - 1) * window.dilations[0] + 1;
  const std::int64_t rows =
      items > 1 ? all_rows : StepsWithin(all_rows, image / static_cast<double>(all_rows), at_once);
  std::vector<ConvPart> parts;
  for (std::int64_t item = 0; item < shape.batch; item += items) {
    const ConvPart some{.item = item, .items = std::min(items, shape.batch - item)};
    std::int64_t begin = 0;
    for (std::int64_t row = 0; row < all_rows; row += rows) {
      const bool last = row + rows >= all_rows;
      const std::int64_t next = (row + rows) * window.strides[0] - window.pads_begin[0];
      const std::int64_t reached = next - window.strides[0] + reach;
      const std::int64_t end = last ? window.input[0] : std::min({window.input[0], next, reached});
      if (end <= begin) continue;
      parts.push_back(RowsOf(window, some, begin, end));
      begin = std::max(begin, std::min(window.input[0], next));
    }
  }
  return parts;
}

/// Shapes of a part's input and output.
Shape InputShape(const NodeFacts& node, const ConvPart& part) {
  return PartShape(node.shape(0), part.items, part.input_rows);
}
Shape OutputShape(const NodeFacts& node, const ConvShape& shape, const ConvPart& part) {
  return PartShape(ReachedShape(shape, *node.outputs[0].shape), part.items, part.rows);
}

deconvolution_forward::primitive_desc MakeDesc(const NodeFacts& node, const ConvShape& shape,
                                               const ConvPart& part, const dnnl::engine& engine) {
  const Window& window = shape.window;
  memory::dims dilations;
  for (const std::int64_t d : window.dilations) dilations.push_back(d - 1);
  memory::dims pads_begin = window.pads_begin;
  memory::dims pads_end = PadsEnd(window);
  pads_begin[0] = part.pad_begin;
  pads_end[0] = part.pad_end;
  const memory::desc bias = node.Has(2) ? PlainDesc(node.shape(2)) : memory::desc();
  const deconvolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
      AnyDesc(InputShape(node, part)), AnyDesc(WeightDims(shape, node.shape(1))), bias,
      AnyDesc(OutputShape(node, shape, part)), window.strides, dilations, pads_begin, pads_end);
  return {desc, UserScratchpad(), engine};
}

/// The primitive of all parts that are alike.
class PartKernel {
 public:
  PartKernel(const NodeFacts& node, const ConvShape& shape, const ConvPart& part,
             const deconvolution_forward::primitive_desc& desc, std::optional<Tensor> packed,
             const dnnl::engine& engine)
      : part_(part),
        call_(deconvolution_forward(desc), engine, ConvolutionArguments(desc, node.Has(2))),
        x_change_(RowMajorPart(node.shape(0), InputShape(node, part)), desc.src_desc(), engine),
        y_change_(desc.dst_desc(),
                  RowMajorPart(*node.outputs[0].shape, OutputShape(node, shape, part)), engine),
        packed_(std::move(packed)),
        has_bias_(node.Has(2)) {
    if (!packed_) w_change_.emplace(WeightDesc(shape, node.shape(1)), desc.weights_desc(), engine);
    x_at_ = scratch_.Add(x_change_.room_bytes());
    w_at_ = scratch_.Add(w_change_ ? w_change_->room_bytes() : 0);
    y_at_ = scratch_.Add(y_change_.needed() ? desc.dst_desc().get_size() : 0);
    pad_at_ = scratch_.Add(desc.scratchpad_desc().get_size());
  }

  const ConvPart& part() const { return part_; }
  std::int64_t scratch_bytes() const { return scratch_.bytes(); }

  /// `x_offset`, `y_offset`: where the part lies in input and output, in elements.
  void Execute(KernelContext& context, std::int64_t x_offset, std::int64_t y_offset) const {
    std::byte* room = context.scratch().data();
    const float* from = context.input(0)->data<float>().data() + x_offset;
    const void* x = x_change_.Bring(from, room + x_at_, context);
    const void* w =
        packed_ ? packed_->raw() : w_change_->Bring(context.input(1)->raw(), room + w_at_, context);
    float* out = context.output(0).data<float>().data() + y_offset;
    void* y = y_change_.needed() ? room + y_at_ : static_cast<void*>(out);
    const void* bias = has_bias_ ? context.input(2)->raw() : nullptr;
    const std::array<const void*, 5> data = {x, w, y, room + pad_at_, bias};
    call_.Run(std::span(data).first(has_bias_ ? 5 : 4));
    if (y_change_.needed()) y_change_.Bring(y, out, context);
  }

 private:
  ConvPart part_;
  DnnlCall call_;
  LayoutChange x_change_, y_change_;
  std::optional<LayoutChange> w_change_;  // nothing where the weights are packed_
  std::optional<Tensor> packed_;
  bool has_bias_;
  ScratchLayout scratch_;
  std::int64_t x_at_ = 0, w_at_ = 0, y_at_ = 0, pad_at_ = 0;
};

class DeconvExecutable final : public Executable {
 public:
  /// A call of one of the kernels.
  struct Call {
    std::size_t kernel = 0;
    std::int64_t x_offset = 0, y_offset = 0;
  };
  /// `reaches_all`: that they write the whole output.
  DeconvExecutable(std::vector<PartKernel> kernels, std::vector<Call> calls, bool reaches_all,
                   bool has_bias)
      : kernels_(std::move(kernels)),
        calls_(std::move(calls)),
        reaches_all_(reaches_all),
        has_bias_(has_bias) {}

  std::int64_t scratch_bytes() const override {
    std::int64_t bytes = 0;
    for (const PartKernel& kernel : kernels_) bytes = std::max(bytes, kernel.scratch_bytes());
    return bytes;
  }

  Result<void> Run(KernelContext& context) const override {
    if (!reaches_all_) Fill(context);
    try {
      for (const Call& call : calls_) {
        if (calls_.size() > 1 && MustStop()) break;
        kernels_[call.kernel].Execute(context, call.x_offset, call.y_offset);
      }
    } catch (const dnnl::error& error) {
      return DnnlError("deconvolution", error);
    }
    return {};
  }

 private:
  /// Writes the bias to all of the output.
  void Fill(KernelContext& context) const {
    Tensor& y = context.output(0);
    const std::int64_t channels = y.dim(1);
    const std::int64_t plane = y.size() / std::max<std::int64_t>(1, y.dim(0) * channels);
    const float* bias = has_bias_ ? context.input(2)->data<float>().data() : nullptr;
    float* to = y.data<float>().data();
    context.ParallelFor(y.dim(0) * channels, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end; ++at) {
        std::fill_n(to + at * plane, plane, bias == nullptr ? 0.0F : bias[at % channels]);
      }
    });
  }

  std::vector<PartKernel> kernels_;
  std::vector<Call> calls_;
  bool reaches_all_;
  bool has_bias_;
};

/// The primitive for parts like `part`.
Result<PartKernel> MakeKernel(const NodeFacts& node, const ConvShape& shape, const ConvPart& part,
                              CpuContext& cpu) {
  const auto desc = MakeDesc(node, shape, part, cpu.engine());
  std::optional<Tensor> packed;
  if (const Tensor* weights = node.inputs[1].constant) {
    packed = TRY(PackedFor(cpu, *weights, WeightDesc(shape, node.shape(1)), desc.weights_desc()));
  }
  return PartKernel(node, shape, part, desc, std::move(packed), cpu.engine());
}

}  // namespace

std::string DeclineConvTransposeDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  const Result<ConvShape> shape = TransposeShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->window.input.size() > 3) return Message(shape->window.input.size(), " dimensions");
  const Window window = ReachedOf(*shape).shape.window;
  const std::vector<std::int64_t> pads = PadsEnd(window);
  for (std::size_t d = 0; d < pads.size(); ++d) {
    const std::int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
    if (window.input[d] < 1) return "no window reaches the output";
    if (pads[d] >= reach || window.pads_begin[d] >= reach) {
      return "padding is wider than the kernel";
    }
  }
  return "";
}

Result<std::unique_ptr<Executable>> PrepareConvTransposeDnnl(const NodeFacts& node,
                                                             DeviceContext& device) {
  CpuContext& cpu = Cpu(device);
  const Reached reached = ReachedOf(TRY(TransposeShapeOf(node)));
  const ConvShape& shape = reached.shape;
  const Shape& y = *node.outputs[0].shape;
  std::int64_t lead = 0;
  for (std::size_t d = 0; d < reached.lead.size(); ++d) {
    lead += reached.lead[d] * CountOf(y, d + 3, y.size());
  }
  std::vector<PartKernel> kernels;
  std::vector<DeconvExecutable::Call> calls;
  std::int64_t rows = 0;
  const auto offset = [](const Shape& all, std::int64_t item, std::int64_t row) {
    return item * CountOf(all, 1, all.size()) + row * CountOf(all, 3, all.size());
  };
  try {
    for (const ConvPart& part : PartsOf(shape, WorkAtOnce(cpu.threads()))) {
      const auto alike =
          std::ranges::find_if(kernels, [&](const PartKernel& k) { return k.part().Like(part); });
      const auto which = static_cast<std::size_t>(alike - kernels.begin());
      if (which == kernels.size()) kernels.push_back(TRY(MakeKernel(node, shape, part, cpu)));
      calls.push_back({which, offset(node.shape(0), part.item, part.input_row),
                       lead + offset(y, part.item, part.row)});
      rows += part.items * part.rows;
    }
  } catch (const dnnl::error& error) {
    return DnnlError("deconvolution", error);
  }
  const bool all = reached.all && rows == shape.batch * shape.window.input[0];
  return std::unique_ptr<Executable>(
      new DeconvExecutable(std::move(kernels), std::move(calls), all, node.Has(2)));
}

}  // namespace slipway::runtime
