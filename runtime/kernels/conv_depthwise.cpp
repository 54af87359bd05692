// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_depthwise.h"

#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/device/device.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_pieces.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread's beginning.
constexpr std::int64_t kLeastWork = 1 << 17;
/// A plane is not left before it is done.
constexpr std::int64_t kMostPositions = 1 << 24;

/// So many pieces that each is worth a thread's beginning.
std::int64_t PiecesOf(const ConvShape& shape, int threads) {
  const std::int64_t work = shape.window.output_size() * shape.window.kernel_size();
  const std::int64_t planes = shape.batch * shape.out_channels;
  const std::int64_t most = planes / std::max<std::int64_t>(1, kLeastWork / work);
  return std::clamp<std::int64_t>(most, 1, threads);
}

/// Every channel by itself, row by row, once for each channel that it becomes; room for a plane
/// with its padding.
class Depthwise final : public ConvPieces {
 public:
  Depthwise(const NodeFacts& node, const ConvShape& shape, const ConvFinish& finish, int threads)
      : ConvPieces(shape.batch * shape.out_channels, PiecesOf(shape, threads),
                   DepthwiseRoom(DepthwisePlaneOf(shape.window, finish.bounds())), finish),
        channels_(shape.out_channels),
        copies_(shape.out_channels / shape.in_channels),
        plane_(DepthwisePlaneOf(shape.window, bounds())),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)) {}

 private:
  void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                float* room) const override {
    const auto numbers = [&](std::size_t input) { return context.input(input)->data<float>(); };
    const std::int64_t in = plane_.in_height * plane_.in_width;
    const std::int64_t out = plane_.height * plane_.width;
    Pause pause;
    for (std::int64_t i = first; i < last; ++i) {
      if (pause.MustStop(out * plane_.kernel)) return;
      const std::int64_t channel = i % channels_;
      DepthwisePlane plane = plane_;
      plane.x = numbers(0).data() + i / copies_ * in;
      plane.w = numbers(1).data() + channel * plane_.kernel * plane_.kernel;
      plane.bias = has_bias_ ? numbers(2)[At(channel)] : 0;
      plane.z = has_sum_ ? numbers(3).data() + i * out : nullptr;
      plane.y = context.output(0).data<float>().data() + i * out;
      RunDepthwise(plane, room);
    }
  }

  std::int64_t channels_;  ///< of output
  std::int64_t copies_;    ///< of each of input
  DepthwisePlane plane_;
  bool has_bias_, has_sum_;
};

bool AreEqual(const std::vector<std::int64_t>& two) { return two[0] == two[1]; }

/// Of a channel by itself, whatever it becomes.
std::string DeclinePlanes(const ConvShape& shape) {
  if (!IsDepthwise(shape)) return "no convolution of every channel by itself";
  const Window& window = shape.window;
  if (window.input.size() != 2 || !AreEqual(window.kernel) || !AreEqual(window.strides) ||
      !AreEqual(window.dilations)) {
    return "the window differs along its dimensions";
  }
  if (window.kernel[0] != 3 && window.kernel[0] != 5 && window.kernel[0] != 7) {
    return "a window that is not 3x3, 5x5 or 7x7";
  }
  if (window.strides[0] > 2) return "strides of more than 2";
  if (shape.batch == 0 || window.input_size() == 0 || window.output_size() == 0) {
    return "an input is empty";
  }
  const bool large = window.output_size() > kMostPositions || window.input_size() > kMostPositions;
  const std::int64_t reach = (window.kernel[0] - 1) * window.dilations[0];
  return large || reach > kMostPositions / window.output[0] ? "a plane takes too long to wait for"
                                                            : "";
}

}  // namespace

bool IsDepthwise(const ConvShape& shape) {
  return shape.groups != 1 && shape.groups == shape.in_channels;
}

DepthwisePlane DepthwisePlaneOf(const Window& window, const ConvBounds& bounds) {
  return {.x = nullptr,
          .w = nullptr,
          .in_height = window.input[0],
          .in_width = window.input[1],
          .height = window.output[0],
          .width = window.output[1],
          .kernel = window.kernel[0],
          .stride = window.strides[0],
          .dilation = window.dilations[0],
          .pad_top = window.pads_begin[0],
          .pad_left = window.pads_begin[1],
          .bounds = bounds};
}

std::string DeclineDepthwiseShape(const ConvShape& shape) {
  return shape.out_channels == shape.in_channels ? DeclinePlanes(shape) : "channels become several";
}

std::string DeclineConvMeasuredDepthwise(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  if (node.attributes.Int("shuffle", 1) > 1) return "channels are shuffled";
  return DeclinePlanes(*shape);
}

std::string DeclineConvDepthwise(const NodeFacts& node) {
  std::string why = DeclineConvMeasuredDepthwise(node);
  if (!why.empty()) return why;
  const Shape& y = *node.outputs[0].shape;
  const bool blocks =
      ChannelBlock() == kLeastPositions && y[1] >= 2 * kLeastPositions && y[1] == node.shape(0)[1];
  return blocks && y[3] < kLeastPositions ? "rows are shorter than vectors, channels are not" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvDepthwise(const NodeFacts& node,
                                                         DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  return std::unique_ptr<Executable>(new Depthwise(node, shape, finish, device.threads()));
}

}  // namespace slipway::runtime
