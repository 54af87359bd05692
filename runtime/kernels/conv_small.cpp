// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "runtime/device/cpu.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/small_image_simd.h"

namespace slipway::runtime {
namespace {

/// Numbers of weights, and of an image, that stay near.
constexpr std::int64_t kMostNumbers = 8 << 10;
/// Operations that are done while a call of oneDNN begins, and some more: it leaves out those on
/// padding.
constexpr double kMostWork = 1 << 18;

/// The weights [M, ...] as [blocks, ..., block], 0 beyond M.
Result<Tensor> BlocksOf(const Tensor& weights, std::int64_t block) {
  const std::int64_t channels = weights.dim(0);
  const std::int64_t depth = weights.size() / channels;
  const std::int64_t blocks = (channels + block - 1) / block;
  Tensor packed = TRY(Tensor::Make(DType::kFloat32, {blocks, depth, block}));
  std::ranges::fill(packed.data<float>(), 0.0F);
  const float* from = weights.data<float>().data();
  for (std::int64_t m = 0; m < channels; ++m) {
    float* const to = packed.data<float>().data() + m / block * depth * block + m % block;
    for (std::int64_t k = 0; k < depth; ++k) to[k * block] = *from++;
  }
  return packed;
}

/// An image of input as the windows cover it: padding included, what none of them sees left out.
struct Covered {
  std::int64_t planes = 0, height = 0, width = 0;
  std::int64_t each = 1;  ///< numbers of a position in a plane
  bool is_image = false;

  std::int64_t size() const { return planes * height * width * each; }
};

Covered CoveredBy(const ConvShape& shape, std::int64_t block) {
  const Window& window = shape.window;
  const auto reach = [&](std::size_t d) {
    return (window.output[d] - 1) * window.strides[d] +
           (window.kernel[d] - 1) * window.dilations[d] + 1;
  };
  Covered covered{.planes = (shape.in_channels + block - 1) / block,
                  .height = reach(0),
                  .width = reach(1),
                  .each = block};
  covered.is_image = covered.height == window.input[0] && covered.width == window.input[1] &&
                     window.pads_begin == Shape{0, 0};
  return covered;
}

std::vector<std::int32_t> WindowsOf(const Window& window, const Covered& covered) {
  std::vector<std::int32_t> places;
  for (std::int64_t row = 0; row < window.output[0]; ++row) {
    for (std::int64_t column = 0; column < window.output[1]; ++column) {
      places.push_back(static_cast<std::int32_t>(
          (row * window.strides[0] * covered.width + column * window.strides[1]) * covered.each));
    }
  }
  return places;
}

/// In the order of the weights of one channel of output.
std::vector<std::int32_t> TapsOf(const ConvShape& shape, const Covered& covered) {
  const Window& window = shape.window;
  std::vector<std::int32_t> places;
  for (std::int64_t c = 0; c < shape.in_channels; ++c) {
    for (std::int64_t down = 0; down < window.kernel[0]; ++down) {
      for (std::int64_t right = 0; right < window.kernel[1]; ++right) {
        const std::int64_t line = c / covered.each * covered.height + down * window.dilations[0];
        const std::int64_t position = line * covered.width + right * window.dilations[1];
        places.push_back(static_cast<std::int32_t>(position * covered.each + c % covered.each));
      }
    }
  }
  return places;
}

class SmallExecutable final : public Executable, public HoldsWeights {
 public:
  /// `x_block`: 1 where the image lies row by row.
  SmallExecutable(const NodeFacts& node, ConvShape shape, const ConvFinish& finish,
                  std::int64_t x_block, std::int64_t y_block, Tensor packed)
      : shape_(std::move(shape)),
        finish_(finish),
        covered_(CoveredBy(shape_, x_block)),
        windows_(WindowsOf(shape_.window, covered_)),
        taps_(TapsOf(shape_, covered_)),
        packed_(std::move(packed)),
        block_(y_block),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)) {}

  bool holds_weights() const override { return true; }

  std::int64_t scratch_bytes() const override {
    const std::int64_t numbers = blocks() * block_ + (covered_.is_image ? 0 : covered_.size());
    return numbers * static_cast<std::int64_t>(sizeof(float));
  }

  Result<void> Run(KernelContext& context) const override {
    auto* const bias = reinterpret_cast<float*>(context.scratch().data());
    float* const room = bias + blocks() * block_;
    SetBias(context, bias);
    const float* x = context.input(0)->data<float>().data();
    const float* z = has_sum_ ? context.input(3)->data<float>().data() : nullptr;
    float* y = context.output(0).data<float>().data();
    const std::int64_t in = covered_.planes * covered_.each * shape_.window.input_size();
    const std::int64_t out = blocks() * block_ * shape_.window.output_size();
    for (std::int64_t image = 0; image < shape_.batch; ++image, x += in, y += out) {
      RunSmallConv({.x = covered_.is_image ? x : Cover(x, room),
                    .windows = windows_,
                    .taps = taps_,
                    .w = packed_.data<float>().data(),
                    .bias = bias,
                    .z = z == nullptr ? nullptr : z + image * out,
                    .y = y,
                    .blocks = blocks(),
                    .bounds = finish_.bounds()},
                   block_);
    }
    finish_.Rest(context);
    return {};
  }

 private:
  std::int64_t blocks() const { return (shape_.out_channels + block_ - 1) / block_; }

  void SetBias(KernelContext& context, float* bias) const {
    std::fill_n(bias, blocks() * block_, 0.0F);
    if (has_bias_) std::ranges::copy(context.input(2)->data<float>(), bias);
  }

  const float* Cover(const float* x, float* room) const {
    const Window& window = shape_.window;
    const std::int64_t left = std::min(window.pads_begin[1], covered_.width);
    const std::int64_t width = std::clamp<std::int64_t>(covered_.width - left, 0, window.input[1]);
    const std::int64_t each = covered_.each;
    float* to = room;
    for (std::int64_t plane = 0; plane < covered_.planes; ++plane) {
      for (std::int64_t i = 0; i < covered_.height; ++i, to += covered_.width * each) {
        const std::int64_t line = i - window.pads_begin[0];
        if (line < 0 || line >= window.input[0]) {
          std::fill_n(to, covered_.width * each, 0.0F);
          continue;
        }
        const float* from = x + (plane * window.input[0] + line) * window.input[1] * each;
        std::fill_n(to, left * each, 0.0F);
        std::copy_n(from, width * each, to + left * each);
        std::fill_n(to + (left + width) * each, (covered_.width - left - width) * each, 0.0F);
      }
    }
    return room;
  }

  ConvShape shape_;
  ConvFinish finish_;
  Covered covered_;
  std::vector<std::int32_t> windows_, taps_;
  Tensor packed_;
  std::int64_t block_;
  bool has_bias_, has_sum_;
};

}  // namespace

std::string DeclineConvSmall(const NodeFacts& on_blocks) {
  if (on_blocks.attributes.String("algorithm", "") == "winograd") {
    return "another algorithm is asked for";
  }
  const NodeFacts node = PlainConvFacts(on_blocks);
  std::string why = DeclineConvDnnl(node);
  if (!why.empty()) return why;
  if (node.inputs[1].constant == nullptr) return "the weights are not known";
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->groups != 1) return "channels in groups";
  const Shape& x = on_blocks.shape(0);
  const std::int64_t block = x.size() == 5 ? x[4] : 1;
  const std::int64_t y_block = on_blocks.outputs[0].shape->back();
  const std::int64_t weights = shape->in_channels * shape->window.kernel_size() *
                               ((shape->out_channels + y_block - 1) / y_block * y_block);
  if (std::max(weights, CoveredBy(*shape, block).size()) > kMostNumbers) {
    return "weights or images are large";
  }
  const double work = 2.0 * static_cast<double>(weights) *
                      static_cast<double>(shape->batch * shape->window.output_size());
  return work > kMostWork ? "there is much to compute" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvSmall(const NodeFacts& on_blocks,
                                                     DeviceContext& device) {
  const NodeFacts node = PlainConvFacts(on_blocks);
  ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  const std::int64_t block = on_blocks.outputs[0].shape->back();
  const Shape& x = on_blocks.shape(0);
  const Tensor& weights = *node.inputs[1].constant;
  Tensor packed = TRY(Cpu(device).Packed(weights, "small" + std::to_string(block),
                                         [&] { return BlocksOf(weights, block); }));
  return std::unique_ptr<Executable>(new SmallExecutable(
      node, std::move(shape), finish, x.size() == 5 ? x[4] : 1, block, std::move(packed)));
}

}  // namespace slipway::runtime
