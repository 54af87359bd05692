// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/device/cpu.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/conv_narrow_simd.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Numbers of weights that come from memory at every run, and not from a cache.
constexpr std::int64_t kLeastWeights = 96 << 10;
constexpr std::int64_t kMostHeight = 16;
/// Images that are computed with weights while these are near.
constexpr std::int64_t kImagesAtOnce = 8;

/// The weights [M, C, h, w] group by group of output blocks, as NarrowConv takes them.
Result<Tensor> Packed(const Tensor& weights, std::int64_t group) {
  Tensor packed = TRY(Tensor::Make(DType::kFloat32, {weights.size()}));
  const std::int64_t channels = weights.dim(1), taps = weights.dim(2) * weights.dim(3);
  const std::int64_t blocks = weights.dim(0) / kNarrowBlock;
  const float* const from = weights.data<float>().data();
  float* to = packed.data<float>().data();
  for (std::int64_t first = 0; first < blocks; first += group) {
    const std::int64_t outs = std::min(group, blocks - first) * kNarrowBlock;
    for (std::int64_t b = 0; b < channels; b += kNarrowBlock) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t k = b; k < b + kNarrowBlock; ++k) {
          const float* const column =
              from + first * kNarrowBlock * channels * taps + k * taps + tap;
          for (std::int64_t m = 0; m < outs; ++m) *to++ = column[m * channels * taps];
        }
      }
    }
  }
  return packed;
}

class NarrowExecutable final : public Executable, public HoldsWeights {
 public:
  NarrowExecutable(const NodeFacts& node, ConvShape shape, ConvFinish finish, Tensor packed)
      : shape_(std::move(shape)),
        finish_(finish),
        packed_(std::move(packed)),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)) {
    const Window& window = shape_.window;
    // Of windows of one position each, those that are seen are taken together.
    const bool one = window.kernel_size() == 1 && window.pads_begin == Shape{0, 0};
    step_ = one ? window.strides[0] : 1;
    stride_ = window.strides[0] / step_;
    height_ = (window.output[0] - 1) * stride_ + window.kernel[0];
    width_ = (window.output[1] - 1) * stride_ + window.kernel[1];
    pads_ = height_ != window.input[0] || width_ != window.input[1] || window.pads_begin[0] != 0 ||
            window.pads_begin[1] != 0;
  }

  bool holds_weights() const override { return true; }

  std::int64_t scratch_bytes() const override {
    if (!pads_) return 0;
    return std::min(shape_.batch, kImagesAtOnce) * covered() *
           static_cast<std::int64_t>(sizeof(float));
  }

  Result<void> Run(KernelContext& context) const override {
    for (std::int64_t first = 0; first < shape_.batch; first += kImagesAtOnce) {
      if (MustStop()) return {};
      const std::int64_t images = std::min(kImagesAtOnce, shape_.batch - first);
      const std::int64_t in = shape_.in_channels * shape_.window.input_size();
      const float* x = context.input(0)->data<float>().data() + first * in;
      if (pads_) x = Pad(context, x, images);
      RunImages(context, x, first, images);
    }
    finish_.Rest(context);
    return {};
  }

 private:
  /// Numbers that the windows of an image cover.
  std::int64_t covered() const { return shape_.in_channels * height_ * width_; }

  /// The images as their windows cover them: with padding, and without what none of them sees.
  const float* Pad(KernelContext& context, const float* x, std::int64_t images) const {
    constexpr std::int64_t kGrain = 8 << 10;
    const std::int64_t each = width_ * kNarrowBlock;
    auto* const room = reinterpret_cast<float*>(context.scratch().data());
    const std::int64_t rows = images * shape_.in_channels / kNarrowBlock * height_;
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / each);
    context.ParallelFor(rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) PadRow(x, row, room + row * each);
    });
    return room;
  }

  void PadRow(const float* x, std::int64_t row, float* to) const {
    const Window& window = shape_.window;
    const std::int64_t line = row % height_ * step_ - window.pads_begin[0];
    std::fill_n(to, width_ * kNarrowBlock, 0.0F);
    if (line < 0 || line >= window.input[0]) return;
    const float* from =
        x + (row / height_ * window.input[0] + line) * window.input[1] * kNarrowBlock;
    const std::int64_t left = window.pads_begin[1];
    for (std::int64_t i = left; i < width_ && (i - left) * step_ < window.input[1]; ++i) {
      std::copy_n(from + (i - left) * step_ * kNarrowBlock, kNarrowBlock, to + i * kNarrowBlock);
    }
  }

  /// Threads share the rows of all groups of blocks, one group after the other.
  void RunImages(KernelContext& context, const float* x, std::int64_t image,
                 std::int64_t images) const {
    const std::int64_t blocks = shape_.out_channels / kNarrowBlock;
    const std::int64_t group = NarrowGroup(shape_.window.output[1]);
    const std::int64_t rows = images * shape_.window.output[0];
    const std::int64_t groups = (blocks + group - 1) / group;
    const std::int64_t grain = (rows + 1) / 2;
    context.ParallelFor(groups * rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end;) {
        NarrowConv conv = GroupOf(context, x, image, at / rows);
        conv.first_row = at % rows;
        conv.last_row = std::min(rows, conv.first_row + end - at);
        at += conv.last_row - conv.first_row;
        if (at >= end) conv.more = 0;
        RunNarrow(conv);
      }
    });
  }

  NarrowConv GroupOf(KernelContext& context, const float* x, std::int64_t image,
                     std::int64_t index) const {
    const Window& window = shape_.window;
    const std::int64_t blocks = shape_.out_channels / kNarrowBlock;
    const std::int64_t group = NarrowGroup(window.output[1]);
    const std::int64_t first = index * group;
    const std::int64_t count = std::min(group, blocks - first);
    const std::int64_t block_weights = shape_.in_channels * window.kernel_size() * kNarrowBlock;
    const std::int64_t plane = window.output_size() * kNarrowBlock;
    const std::int64_t start = (image * blocks + first) * plane;
    const float* const z = has_sum_ ? context.input(3)->data<float>().data() + start : nullptr;
    const float* const bias = has_bias_ ? context.input(2)->data<float>().data() : nullptr;
    return {.x = x,
            .x_image = covered(),
            .in_blocks = shape_.in_channels / kNarrowBlock,
            .in_height = height_,
            .in_width = width_,
            .w = packed_.data<float>().data() + first * block_weights,
            .blocks = count,
            .more = std::min(group, blocks - first - count) * block_weights,
            .kernel_height = window.kernel[0],
            .kernel_width = window.kernel[1],
            .stride = stride_,
            .bias = bias == nullptr ? nullptr : bias + first * kNarrowBlock,
            .z = z,
            .y = context.output(0).data<float>().data() + start,
            .y_image = blocks * plane,
            .height = window.output[0],
            .width = window.output[1],
            .bounds = finish_.bounds()};
  }

  ConvShape shape_;
  ConvFinish finish_;
  Tensor packed_;
  bool has_bias_, has_sum_;
  std::int64_t height_ = 0, width_ = 0;  ///< of what the windows cover
  std::int64_t step_ = 1;                ///< between the positions that are taken
  std::int64_t stride_ = 1;              ///< between windows over those
  bool pads_ = false;                    ///< that is not the image itself
};

}  // namespace

std::string DeclineConvMeasuredNarrow(const NodeFacts& on_blocks) {
  if (ChannelBlock() != kNarrowBlock) return "blocks are of other sizes";
  if (on_blocks.shape(0).size() == 4) return "the image is not in blocks";
  const NodeFacts node = PlainConvFacts(on_blocks);
  std::string why = DeclineConvDnnl(node);
  if (!why.empty()) return why;
  if (node.inputs[1].constant == nullptr) return "the weights are not known";
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  const Window& window = shape->window;
  if (window.input.size() != 2 || shape->groups != 1) return "no images in one group";
  if (shape->in_channels % kNarrowBlock != 0 || shape->out_channels % kNarrowBlock != 0) {
    return "channels fill no blocks";
  }
  if (window.dilations != std::vector<std::int64_t>{1, 1} ||
      window.strides[0] != window.strides[1]) {
    return "dilations, or strides that differ";
  }
  const bool fits = window.output[1] >= kLeastNarrow && window.output[1] <= kMostNarrow;
  return fits ? "" : "rows are not short";
}

std::string DeclineConvNarrow(const NodeFacts& on_blocks) {
  std::string why = DeclineConvMeasuredNarrow(on_blocks);
  if (!why.empty()) return why;
  if (on_blocks.attributes.String("algorithm", "") == "winograd") {
    return "another algorithm is asked for";
  }
  const auto shape = ConvShapeOf(PlainConvFacts(on_blocks));
  if (!shape) return shape.error().message;
  if (shape->window.output[0] > kMostHeight) return "there are many rows";
  const std::int64_t weights =
      shape->in_channels * shape->out_channels * shape->window.kernel_size();
  return weights < kLeastWeights ? "few weights" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvNarrow(const NodeFacts& on_blocks,
                                                      DeviceContext& device) {
  const NodeFacts node = PlainConvFacts(on_blocks);
  ConvShape shape = TRY(ConvShapeOf(node));
  const Tensor& weights = *node.inputs[1].constant;
  const std::int64_t group = NarrowGroup(shape.window.output[1]);
  Tensor packed = TRY(Cpu(device).Packed(weights, "narrow" + std::to_string(group),
                                         [&] { return Packed(weights, group); }));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  return std::unique_ptr<Executable>(
      new NarrowExecutable(node, std::move(shape), finish, std::move(packed)));
}

}  // namespace slipway::runtime
