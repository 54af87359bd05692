// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/byte_rows_simd.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_part.h"
#include "runtime/kernels/dnnl_activation.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/low_precision.h"
#include "runtime/kernels/quantize_simd.h"

namespace slipway::runtime {
namespace {

using dnnl::algorithm;
using dnnl::convolution_forward;
using dnnl::memory;

constexpr std::size_t kSpatialMost = 3;

/// How input and output lie in memory: channels in a block, 0 row by row.
struct ConvLayout {
  std::int64_t x_block = 0, y_block = 0;
  /// Whether the primitive works on just these, rather than on what it likes best.
  bool fixed = false;
  Precision precision = Precision::kFloat32;

  bool in_bytes() const { return precision == Precision::kInt8; }
};

/// Weights [M, C / g, ...] as [g, M / g, C / g, ...] where there are groups.
Shape WeightDims(const ConvShape& shape, const Shape& w) {
  if (shape.groups == 1) return w;
  Shape dims{shape.groups, w[0] / shape.groups};
  dims.insert(dims.end(), w.begin() + 1, w.end());
  return dims;
}

/// Rows `row` to `row + rows` of the output, of `items` images. The last rows have all the rest of
/// the input, windows or not.
ConvPart RowsOf(const Window& window, const ConvPart& items, std::int64_t row, std::int64_t rows) {
  const std::int64_t reach = (window.kernel[0] - 1) * window.dilations[0] + 1;
  const std::int64_t first = row * window.strides[0] - window.pads_begin[0];
  const std::int64_t last = (row + rows - 1) * window.strides[0] - window.pads_begin[0] + reach;
  ConvPart part = items;
  part.row = row;
  part.rows = rows;
  part.input_row = row == 0 ? 0 : std::clamp<std::int64_t>(first, 0, window.input[0]);
  const bool ends = row + rows == window.output[0];
  const std::int64_t end =
      ends ? window.input[0] : std::clamp<std::int64_t>(last, part.input_row, window.input[0]);
  part.input_rows = end - part.input_row;
  part.pad_begin = part.input_row - first;
  part.pad_end = last - end;
  return part;
}

/// Operations on one image.
double WorkOf(const ConvShape& shape) {
  const std::int64_t taps = shape.in_channels / shape.groups * shape.window.kernel_size();
  return 2.0 * static_cast<double>(taps) * static_cast<double>(shape.out_channels) *
         static_cast<double>(shape.window.output_size());
}

/// The whole in parts short enough to end between them, of one image each where `apart`. Nothing
/// where a part would lie in the padding alone.
std::optional<std::vector<ConvPart>> PartsOf(const ConvShape& shape, bool apart = false) {
  const Window& window = shape.window;
  const double image = WorkOf(shape);
  const std::int64_t items = apart ? 1 : StepsOf(shape.batch, image);
  const std::int64_t all_rows = window.output[0];
  const std::int64_t rows =
      items > 1 ? all_rows : StepsOf(all_rows, image / static_cast<double>(all_rows));
  std::vector<ConvPart> parts;
  for (std::int64_t item = 0; item < shape.batch; item += items) {
    const ConvPart some{.item = item, .items = std::min(items, shape.batch - item)};
    for (std::int64_t row = 0; row < all_rows; row += rows) {
      parts.push_back(RowsOf(window, some, row, std::min(rows, all_rows - row)));
      if (parts.back().input_rows == 0) return std::nullopt;
    }
  }
  return parts;
}

/// That part of a tensor, without leaving it.
memory::desc PartDesc(const Shape& shape, std::int64_t block, std::int64_t items,
                      std::int64_t rows) {
  const Shape part = PartShape(shape, items, rows);
  if (part == shape || block > 0) {
    const memory::desc whole = block > 0 ? BlockedDesc(shape, block) : PlainDesc(shape);
    return part == shape ? whole : whole.submemory_desc(part, memory::dims(shape.size(), 0));
  }
  return RowMajorPart(shape, part);
}

/// What the primitive for such a part is asked to work on. oneDNN has no good kernels for bytes in
/// blocks of channels.
memory::desc WorkDesc(const Shape& part, std::int64_t block, const ConvLayout& layout) {
  if (layout.in_bytes()) return AnyDesc(part);
  if (block > 0) return BlockedDesc(part, block);
  return layout.fixed ? PlainDesc(part) : AnyDesc(part);
}

/// Where it begins, in elements.
std::int64_t PartOffset(const Shape& shape, std::int64_t block, std::int64_t item,
                        std::int64_t row) {
  const Shape lies = block > 0 ? BlockedShape(shape, block) : shape;
  return item * CountOf(lies, 1, lies.size()) + row * CountOf(lies, 3, lies.size());
}

/// Whether the tensor that is added is read where it lies: the part of it is one piece. Kernels add
/// to what the output holds where that is the tensor.
bool AddsInPlace(const NodeFacts& node, const ConvPart& part, const ConvLayout& layout) {
  return node.Has(3) && node.overwrites != 3 && layout.y_block > 0 && !layout.in_bytes() &&
         part.rows == (*node.outputs[0].shape)[2];
}

/// [1, M, 1, …] of one number for each channel of the output.
memory::desc PerChannelDesc(const NodeFacts& node) {
  Shape shape(node.shape(1).size(), 1);
  shape[1] = node.shape(1)[0];
  return PlainDesc(shape);
}

convolution_forward::primitive_desc MakeDesc(const NodeFacts& node, const ConvShape& shape,
                                             ConvActivation activation, const ConvPart& part,
                                             const ConvLayout& layout, const dnnl::engine& engine) {
  constexpr auto kWay = algorithm::convolution_direct;
  memory::dims dilations;
  for (const std::int64_t d : shape.window.dilations) dilations.push_back(d - 1);
  const Window& window = shape.window;
  memory::dims pads_begin = window.pads_begin;
  memory::dims pads_end;
  for (std::size_t d = 0; d < window.input.size(); ++d) {
    const std::int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
    pads_end.push_back((window.output[d] - 1) * window.strides[d] + reach - window.input[d] -
                       window.pads_begin[d]);
  }
  pads_begin[0] = part.pad_begin;
  pads_end[0] = part.pad_end;
  const bool has_bias = node.Has(2) && !layout.in_bytes();
  const memory::data_type type = DnnlTypeOf(layout.precision);
  const memory::desc x = WithType(
      WorkDesc(PartShape(node.shape(0), part.items, part.input_rows), layout.x_block, layout),
      type);
  const memory::desc w = WithType(AnyDesc(WeightDims(shape, node.shape(1))), type);
  const memory::desc y =
      WorkDesc(PartShape(*node.outputs[0].shape, part.items, part.rows), layout.y_block, layout);
  const memory::desc b = has_bias ? PlainDesc(node.shape(2)) : memory::desc();
  dnnl::primitive_attr attributes = UserScratchpad();
  dnnl::post_ops ops;
  if (layout.in_bytes()) {
    ops.append_binary(algorithm::binary_mul, PerChannelDesc(node));
    if (node.Has(2)) ops.append_binary(algorithm::binary_add, PerChannelDesc(node));
  }
  if (node.Has(3)) {
    if (AddsInPlace(node, part, layout)) {
      ops.append_binary(algorithm::binary_add, y);
    } else {
      ops.append_sum(1);
    }
  }
  AppendActivation(node, activation, ops);
  attributes.set_post_ops(ops);
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto desc = has_bias ? convolution_forward::desc(kind, kWay, x, w, b, y, window.strides,
                                                         dilations, pads_begin, pads_end)
                             : convolution_forward::desc(kind, kWay, x, w, y, window.strides,
                                                         dilations, pads_begin, pads_end);
  return {desc, attributes, engine};
}

/// Weights as the primitive wants them.
struct PackedConv {
  std::optional<Tensor> weights = {};  ///< nothing where they are not constant
  Tensor scales = {};                  ///< of bytes
};

/// The primitive of all parts that are alike, and where it works.
class PartKernel {
 public:
  PartKernel(const NodeFacts& node, const ConvShape& shape, const ConvPart& part,
             const ConvLayout& layout, const convolution_forward::primitive_desc& desc,
             PackedConv packed, const dnnl::engine& engine)
      : engine_(engine),
        part_(part),
        desc_(desc),
        in_bytes_(layout.in_bytes()),
        has_bias_(node.Has(2)),
        adds_in_place_(AddsInPlace(node, part, layout)),
        has_sum_(node.Has(3) && !adds_in_place_),
        channels_(PerChannelDesc(node)),
        call_(convolution_forward(desc), engine, Arguments()),
        y_(PartDesc(*node.outputs[0].shape, layout.y_block, part.items, part.rows)),
        x_change_(PartDesc(node.shape(0), layout.x_block, part.items, part.input_rows),
                  desc.src_desc(), engine, in_bytes_),
        y_change_(desc.dst_desc(), y_, engine),
        z_change_(y_, desc.dst_desc(), engine),
        packed_(std::move(packed.weights)),
        scales_(std::move(packed.scales)) {
    if (!packed_) {
      w_change_.emplace(PlainDesc(WeightDims(shape, node.shape(1))), desc.weights_desc(), engine);
    }
    x_at_ = scratch_.Add(x_change_.room_bytes());
    w_at_ = scratch_.Add(w_change_ ? w_change_->room_bytes() : 0);
    y_at_ = scratch_.Add(y_change_.needed() ? desc_.dst_desc().get_size() : 0);
    pad_at_ = scratch_.Add(desc_.scratchpad_desc().get_size());
    factors_at_ = scratch_.Add(in_bytes_ ? channels_.get_size() : 0);
  }

  const ConvPart& part() const { return part_; }
  bool is_packed() const { return packed_.has_value(); }
  bool in_bytes() const { return in_bytes_; }
  std::int64_t scratch_bytes() const { return scratch_.bytes(); }

  /// `x_offset`, `y_offset`: where the part lies in input and output, in elements. `x_scale`: of
  /// the input's bytes.
  void Execute(KernelContext& context, std::int64_t x_offset, std::int64_t y_offset,
               float x_scale) const {
    std::byte* room = context.scratch().data();
    const float* from = context.input(0)->data<float>().data() + x_offset;
    const float step = x_scale > 0 ? 1 / x_scale : 0;
    const void* x = in_bytes_ ? x_change_.BringScaled(from, &step, room + x_at_)
                              : x_change_.Bring(from, room + x_at_, context);
    const void* w =
        packed_ ? packed_->raw() : w_change_->Bring(context.input(1)->raw(), room + w_at_, context);
    float* out = context.output(0).data<float>().data() + y_offset;
    const bool same = !y_change_.needed();
    void* y = same ? static_cast<void*>(out) : room + y_at_;
    if (has_sum_) {
      const float* added = context.input(3)->data<float>().data() + y_offset;
      if (!same) {
        z_change_.Bring(added, y, context);
      } else if (out != added) {
        memory z = Over(y_, engine_, added), sum = Over(y_, engine_, y);
        Reorder(z, sum, engine_);
      }
    }
    std::array<const void*, 6> data = {x, w, y, room + pad_at_};
    std::size_t count = 4;
    if (in_bytes_) data[count++] = Factors(x_scale, reinterpret_cast<float*>(room + factors_at_));
    if (has_bias_) data[count++] = context.input(2)->raw();
    if (adds_in_place_) data[count++] = context.input(3)->data<float>().data() + y_offset;
    call_.Run(std::span(data).first(count));
    if (!same) y_change_.Bring(y, out, context);
  }

 private:
  std::vector<DnnlCall::Argument> Arguments() const {
    auto arguments = ConvolutionArguments(desc_, has_bias_ && !in_bytes_);
    for (int operation = 0; in_bytes_ && operation < (has_bias_ ? 2 : 1); ++operation) {
      const int which = DNNL_ARG_ATTR_MULTIPLE_POST_OP(operation) | DNNL_ARG_SRC_1;
      arguments.push_back({which, channels_});
    }
    if (adds_in_place_) {
      arguments.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, desc_.dst_desc()});
    }
    return arguments;
  }

  /// What sums of bytes are multiplied by, channel by channel.
  const float* Factors(float x_scale, float* factors) const {
    const auto scales = scales_.data<float>();
    for (std::size_t i = 0; i < scales.size(); ++i) factors[i] = x_scale * scales[i];
    return factors;
  }

  dnnl::engine engine_;
  ConvPart part_;
  convolution_forward::primitive_desc desc_;
  bool in_bytes_, has_bias_, adds_in_place_, has_sum_;
  memory::desc channels_;  ///< of one number each
  DnnlCall call_;
  memory::desc y_;
  LayoutChange x_change_, y_change_, z_change_;
  std::optional<LayoutChange> w_change_;  // nothing where the weights are packed_
  std::optional<Tensor> packed_;
  Tensor scales_;  // of weights that are bytes
  ScratchLayout scratch_;
  std::int64_t x_at_ = 0, w_at_ = 0, y_at_ = 0, pad_at_ = 0, factors_at_ = 0;
};

class ConvExecutable final : public Executable, public HoldsWeights {
 public:
  /// A call of one of the kernels.
  struct Call {
    std::size_t kernel = 0;
    std::int64_t item = 0;
    std::int64_t x_offset = 0, y_offset = 0;
  };
  ConvExecutable(std::vector<PartKernel> kernels, std::vector<Call> calls, int threads)
      : kernels_(std::move(kernels)), calls_(std::move(calls)), threads_(threads) {}

  std::int64_t scratch_bytes() const override {
    std::int64_t bytes = 0;
    for (const PartKernel& kernel : kernels_) bytes = std::max(bytes, kernel.scratch_bytes());
    return bytes;
  }

  bool holds_weights() const override {
    return std::ranges::all_of(kernels_, [](const PartKernel& k) { return k.is_packed(); });
  }

  Result<void> Run(KernelContext& context) const override {
    const ThreadScope threads(threads_);
    try {
      std::int64_t item = -1;
      float scale = 0;
      for (const Call& call : calls_) {
        if (calls_.size() > 1 && MustStop()) break;
        const PartKernel& kernel = kernels_[call.kernel];
        if (kernel.in_bytes() && call.item != item) {
          item = call.item;
          scale = ScaleOfImage(context, item);
        }
        kernel.Execute(context, call.x_offset, call.y_offset, scale);
      }
    } catch (const dnnl::error& error) {
      return DnnlError("convolution", error);
    }
    return {};
  }

 private:
  /// Of its bytes: an image does not depend on those that come with it.
  static float ScaleOfImage(KernelContext& context, std::int64_t item) {
    constexpr std::int64_t kPiece = 16 << 10;
    const Tensor& x = *context.input(0);
    const std::int64_t size = x.size() / x.dim(0);
    const auto image = x.data<float>().subspan(At(item * size), At(size));
    CountedVector<float> most(At((size + kPiece - 1) / kPiece));
    context.ParallelFor(std::ssize(most), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t count = std::min(kPiece, size - i * kPiece);
        most[At(i)] = LargestMagnitude(image.subspan(At(i * kPiece), At(count)));
      }
    });
    return ByteScaleOf(LargestMagnitude(most));
  }

  std::vector<PartKernel> kernels_;
  std::vector<Call> calls_;
  int threads_;
};

/// Adds the primitive for parts like `part`.
Result<void> AddKernel(const NodeFacts& node, const ConvShape& shape, ConvActivation activation,
                       const ConvPart& part, const ConvLayout& layout, CpuContext& cpu,
                       std::vector<PartKernel>& kernels) {
  const auto desc = MakeDesc(node, shape, activation, part, layout, cpu.engine());
  PackedConv packed;
  const memory::desc have = PlainDesc(WeightDims(shape, node.shape(1)));
  if (const Tensor* weights = node.inputs[1].constant; weights != nullptr && layout.in_bytes()) {
    const ByteWeights bytes{*weights, shape.out_channels, true};
    packed.scales = TRY(ScalesOf(cpu, bytes));
    packed.weights = TRY(PackedBytesOf(cpu, bytes, packed.scales,
                                       WithType(have, memory::data_type::s8), desc.weights_desc()));
  } else if (weights != nullptr) {
    packed.weights = TRY(PackedFor(cpu, *weights, have, desc.weights_desc()));
  }
  kernels.emplace_back(node, shape, part, layout, desc, std::move(packed), cpu.engine());
  return {};
}

Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, const ConvShape& shape,
                                            ConvActivation activation,
                                            const std::vector<ConvPart>& parts,
                                            const ConvLayout& layout, CpuContext& cpu) {
  // oneDNN divides the work between as many threads as there are when it makes a primitive.
  const int count = ThreadsFor(WorkOf(shape) * static_cast<double>(shape.batch), cpu.threads());
  const ThreadScope threads(count);
  std::vector<PartKernel> kernels;
  std::vector<ConvExecutable::Call> calls;
  for (const ConvPart& part : parts) {
    const auto alike =
        std::ranges::find_if(kernels, [&](const PartKernel& k) { return k.part().Like(part); });
    const auto which = static_cast<std::size_t>(alike - kernels.begin());
    if (which == kernels.size()) {
      TRY(AddKernel(node, shape, activation, part, layout, cpu, kernels));
    }
    calls.push_back({which, part.item,
                     PartOffset(node.shape(0), layout.x_block, part.item, part.input_row),
                     PartOffset(*node.outputs[0].shape, layout.y_block, part.item, part.row)});
  }
  return std::unique_ptr<Executable>(
      std::make_unique<ConvExecutable>(std::move(kernels), std::move(calls), count));
}

Result<std::unique_ptr<Executable>> PrepareWith(const NodeFacts& node, const ConvLayout& layout,
                                                DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  const ConvActivation activation = TRY(ConvActivationOf(node));
  const auto parts = PartsOf(shape, layout.in_bytes());
  if (!parts) {
    return Error{.code = Code::kUnimplemented, .message = "rows of the output see only padding"};
  }
  try {
    return Prepare(node, shape, activation, *parts, layout, Cpu(device));
  } catch (const dnnl::error& error) {
    return DnnlError("convolution", error);
  }
}

Error NoConstant() {
  return {.code = Code::kUnimplemented, .message = "the weights are not constant"};
}

/// Whether oneDNN has compiled code for it, not the loops that serve what nothing else does.
bool HasGoodKernel(const NodeFacts& node, const ConvShape& shape, ConvActivation activation,
                   const ConvPart& part, const ConvLayout& layout, const dnnl::engine& engine) {
  try {
    const auto desc = MakeDesc(node, shape, activation, part, layout, engine);
    const std::string_view name = desc.impl_info_str();
    return name.starts_with("jit") || name.starts_with("brg");
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace

NodeFacts PlainConvFacts(const NodeFacts& node) {
  NodeFacts plain = node;
  const Shape& w = node.shape(1);
  plain.inputs[0].shape = PlainShape(node.shape(0), w[1] * node.attributes.Int("group", 1));
  if (node.Has(3)) plain.inputs[3].shape = PlainShape(node.shape(3), w[0]);
  for (ValueFacts& output : plain.outputs) output.shape = PlainShape(*output.shape, w[0]);
  return plain;
}

std::string DeclineConvDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 4);
  if (!why.empty()) return why;
  const std::size_t spatial = node.shape(0).size() - 2;
  if (spatial > kSpatialMost) return Message(spatial, " spatial dimensions");
  if (node.attributes.Int("shuffle", 1) > 1) return "channels are shuffled";
  return "";
}

Result<std::unique_ptr<Executable>> PrepareConvDnnl(const NodeFacts& node, DeviceContext& device) {
  return PrepareWith(node, {}, device);
}

std::string DeclineConvBf16(const NodeFacts& node) {
  std::string why = DeclineUnlessAsked(node, Precision::kBfloat16);
  return why.empty() ? DeclineConvDnnl(node) : why;
}

std::string DeclineConvInt8(const NodeFacts& node) {
  std::string why = DeclineUnlessAsked(node, Precision::kInt8);
  return why.empty() ? DeclineConvDnnl(node) : why;
}

Result<std::unique_ptr<Executable>> PrepareConvLow(const NodeFacts& node, DeviceContext& device) {
  if (node.inputs[1].constant == nullptr) return NoConstant();
  return PrepareWith(node, {.precision = PrecisionOf(node)}, device);
}

bool GainsByLowConv(const NodeFacts& node, Precision precision, DeviceContext& device) {
  constexpr std::int64_t kChannels = 16;
  const auto shape = ConvShapeOf(node);
  const auto activation = ConvActivationOf(node);
  if (!shape || !activation || !DeclineConvDnnl(node).empty()) return false;
  if (shape->groups != 1 || shape->in_channels % kChannels != 0) return false;
  if (shape->out_channels < kChannels) return false;
  const Window& window = shape->window;
  const std::int64_t kernel = window.kernel_size();
  const double sums = static_cast<double>(shape->batch * shape->out_channels) *
                      static_cast<double>(window.output_size());
  const double uses = static_cast<double>(shape->out_channels * kernel) *
                      static_cast<double>(window.output_size()) /
                      static_cast<double>(window.input_size());
  // Bytes are brought into another order as they are made.
  const double least_uses = precision == Precision::kInt8 ? 128 : 64;
  if (!GainsByPrecision(sums, shape->in_channels * kernel, uses, least_uses)) return false;
  // That saves as many products as bfloat16, and no numbers are converted for it.
  if (precision == Precision::kBfloat16 && GainOfWinograd(node)) return false;
  const auto parts = PartsOf(*shape, precision == Precision::kInt8);
  return parts && HasGoodKernel(node, *shape, *activation, parts->front(), {.precision = precision},
                                Cpu(device).engine());
}

BlockedConv BlockedConvOf(const NodeFacts& node, std::int64_t block, DeviceContext& device) {
  const auto shape = ConvShapeOf(node);
  const auto activation = ConvActivationOf(node);
  if (!shape || !activation || !DeclineConvDnnl(node).empty()) return BlockedConv::kNone;
  const Precision precision = PrecisionOf(node);
  const auto parts = PartsOf(*shape, precision == Precision::kInt8);
  if (!parts) return BlockedConv::kNone;
  const auto good = [&](ConvLayout layout) {
    layout.precision = precision;
    return HasGoodKernel(node, *shape, *activation, parts->front(), layout, Cpu(device).engine());
  };
  if (shape->groups == 1 && shape->in_channels < block && good({0, block, true})) {
    return BlockedConv::kPlainInput;
  }
  return good({block, block, true}) ? BlockedConv::kBlocks : BlockedConv::kNone;
}

namespace {

Result<std::unique_ptr<Executable>> PrepareOnBlocks(const NodeFacts& node, Precision precision,
                                                    DeviceContext& device) {
  const std::int64_t block = node.outputs[0].shape->back();
  const bool plain_input = node.shape(0).size() == 4;
  return PrepareWith(
      PlainConvFacts(node),
      {.x_block = plain_input ? 0 : block, .y_block = block, .fixed = true, .precision = precision},
      device);
}

}  // namespace

Result<std::unique_ptr<Executable>> PrepareBlockedConv(const NodeFacts& node,
                                                       DeviceContext& device) {
  return PrepareOnBlocks(node, Precision::kFloat32, device);
}

Result<std::unique_ptr<Executable>> PrepareBlockedConvLow(const NodeFacts& node,
                                                          DeviceContext& device) {
  if (node.inputs[1].constant == nullptr) return NoConstant();
  return PrepareOnBlocks(node, PrecisionOf(node), device);
}

}  // namespace slipway::runtime
