// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/device/device.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_pieces.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Of a band: it is not left before it is done.
constexpr std::int64_t kMostRoom = 4 << 20;
constexpr std::int64_t kMostWork = std::int64_t{1} << 30;
constexpr std::int64_t kLeastTaps = 9, kMostTaps = 1024;

FewChannels ConvOf(const ConvShape& shape, const ConvBounds& bounds) {
  const Window& window = shape.window;
  return {.in_channels = shape.in_channels,
          .in_height = window.input[0],
          .in_width = window.input[1],
          .out_channels = shape.out_channels,
          .height = window.output[0],
          .width = window.output[1],
          .kernel_height = window.kernel[0],
          .kernel_width = window.kernel[1],
          .pad_top = window.pads_begin[0],
          .pad_left = window.pads_begin[1],
          .bounds = bounds};
}

std::int64_t BandsOf(const ConvShape& shape) {
  return (shape.window.output[0] + kBandRows - 1) / kBandRows;
}

/// Bands of rows one after the other; room for one with its padding.
class FewExecutable final : public ConvPieces {
 public:
  FewExecutable(const NodeFacts& node, const ConvShape& shape, const ConvFinish& finish,
                int threads)
      : ConvPieces(shape.batch * BandsOf(shape),
                   std::clamp<std::int64_t>(shape.batch * BandsOf(shape), 1, threads),
                   BandRoom(ConvOf(shape, finish.bounds())), finish),
        bands_(BandsOf(shape)),
        conv_(ConvOf(shape, bounds())),
        has_bias_(node.Has(2)) {}

 private:
  void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                float* room) const override {
    FewChannels conv = conv_;
    conv.w = context.input(1)->data<float>().data();
    conv.bias = has_bias_ ? context.input(2)->data<float>().data() : nullptr;
    for (std::int64_t i = first; i < last; ++i) {
      if (MustStop()) return;
      const std::int64_t image = i / bands_;
      conv.x = context.input(0)->data<float>().data() +
               image * conv_.in_channels * conv_.in_height * conv_.in_width;
      conv.y = context.output(0).data<float>().data() +
               image * conv_.out_channels * conv_.height * conv_.width;
      RunBand(conv, i % bands_, room);
    }
  }

  std::int64_t bands_;
  FewChannels conv_;
  bool has_bias_;
};

}  // namespace

std::string DeclineConvFew(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  const Window& window = shape->window;
  if (shape->groups != 1 || shape->out_channels < 1 || shape->out_channels > kMostFew) {
    return "many channels of output";
  }
  const std::vector<std::int64_t> ones = {1, 1};
  if (window.strides != ones || window.dilations != ones) return "strides or dilations";
  if (node.Has(3) || node.attributes.Int("shuffle", 1) > 1) return "something is added";
  const std::int64_t taps = CountOf(window.kernel, 0, window.kernel.size());
  if (taps < kLeastTaps || taps > kMostTaps) return "a window of few taps";
  if (shape->batch == 0 || window.output[0] < 1 || window.output[1] < kLeastPositions ||
      CountOf(node.shape(0), 0, 4) == 0) {
    return "short rows";
  }
  const double row = static_cast<double>(window.output[1] + window.kernel[1]) *
                     static_cast<double>(shape->in_channels);
  const double room = row * static_cast<double>(kBandRows + window.kernel[0]);
  const double work = row * static_cast<double>(kBandRows * taps * shape->out_channels);
  const bool large = room > static_cast<double>(kMostRoom) || work > static_cast<double>(kMostWork);
  return large ? "a band of rows takes too much" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvFew(const NodeFacts& node, DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  return std::unique_ptr<Executable>(new FewExecutable(node, shape, finish, device.threads()));
}

}  // namespace slipway::runtime
