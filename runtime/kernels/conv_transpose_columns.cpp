// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/conv_pieces.h"
#include "runtime/kernels/conv_transpose.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/tap_lines_simd.h"

namespace slipway::runtime {
namespace {

/// Numbers that the input at some positions may have, and what is made of it, to stay near.
constexpr std::int64_t kNear = 16 << 10;
constexpr std::int64_t kMostPositions = 512;
/// Of output, in a group: with more, oneDNN's blocks of channels are full, and what it takes for
/// windows that slide by one, and in three dimensions, is less.
constexpr std::int64_t kMostChannels = 8;

constexpr std::int64_t kOutside = -1;

/// One group of one image, as a product of matrices: every tap of every channel of output, by the
/// positions of the input, whose rows are then added where the windows lie. A line is the positions
/// along the last dimension.
struct Geometry {
  std::int64_t products;  ///< images times groups
  std::int64_t groups;
  std::int64_t ins, outs, taps;
  std::int64_t positions, width;  ///< of the input
  std::int64_t lines;             ///< of the input
  std::int64_t at_once;           ///< positions
  std::int64_t near_outs;         ///< channels of output whose taps at these stay near
  Window window;

  std::int64_t rows() const { return outs * taps; }
  std::int64_t line_taps() const { return taps / window.kernel.back(); }
  std::int64_t room() const { return at_once * (ins + near_outs * taps); }
};

Geometry GeometryOf(const ConvShape& shape) {
  Geometry g{.products = shape.batch * shape.groups,
             .groups = shape.groups,
             .ins = shape.in_channels / shape.groups,
             .outs = shape.out_channels / shape.groups,
             .taps = shape.window.kernel_size(),
             .positions = shape.window.output_size(),
             .width = shape.window.output.back(),
             .lines = 1,
             .at_once = kLeastPositions,
             .near_outs = 1,
             .window = shape.window};
  g.lines = g.positions / g.width;
  const std::int64_t near = kNear / g.ins / kLeastPositions * kLeastPositions;
  g.at_once = std::max(kLeastPositions, std::min({g.positions, near, kMostPositions}));
  g.near_outs = std::clamp<std::int64_t>(kNear / (g.at_once * g.taps), 1, g.outs);
  return g;
}

/// The line of the output that `line_tap` (of all dimensions but the last) puts `line` in.
std::int64_t OutputLine(const Window& window, std::int64_t line, std::int64_t line_tap) {
  std::int64_t at = 0, stride = 1;
  for (std::size_t d = window.kernel.size() - 1; d-- > 0;) {
    const std::int64_t place = line % window.output[d] * window.strides[d] +
                               line_tap % window.kernel[d] * window.dilations[d] -
                               window.pads_begin[d];
    if (place < 0 || place >= window.input[d]) return kOutside;
    at += place * stride;
    stride *= window.input[d];
    line /= window.output[d];
    line_tap /= window.kernel[d];
  }
  return at;
}

/// The taps along the last dimension, and where they reach the output.
std::vector<LineTap> LineTapsOf(const Window& window) {
  const std::int64_t stride = window.strides.back();
  const std::int64_t width = window.input.back();
  std::vector<LineTap> taps;
  for (std::int64_t tap = 0; tap < window.kernel.back(); ++tap) {
    const std::int64_t shift = tap * window.dilations.back() - window.pads_begin.back();
    const std::int64_t first = shift < 0 ? (stride - 1 - shift) / stride : 0;
    const std::int64_t past = width > shift ? (width - 1 - shift) / stride + 1 : 0;
    taps.push_back({.shift = shift, .begin = first, .end = std::min(past, window.output.back())});
  }
  return taps;
}

class Columns final : public ConvPieces, public HoldsWeights {
 public:
  Columns(const NodeFacts& node, const Geometry& geometry, const ConvFinish& finish, Tensor turned,
          int threads)
      : ConvPieces(geometry.products * geometry.outs,
                   std::min<std::int64_t>(threads, geometry.products * geometry.outs),
                   geometry.room(), finish),
        geometry_(geometry),
        turned_(std::move(turned)),
        has_bias_(node.Has(2)),
        taps_(LineTapsOf(geometry.window)),
        in_pairs_(geometry.window.strides.back() == 2 && geometry.window.dilations.back() == 1) {
    for (std::int64_t tap = 0; tap < geometry.line_taps(); ++tap) {
      for (std::int64_t line = 0; line < geometry.lines; ++line) {
        lines_.push_back(OutputLine(geometry.window, line, tap));
      }
    }
  }

  bool holds_weights() const override { return true; }

 private:
  /// A part is a channel of output of one image.
  void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                float* room) const override {
    while (first < last) {
      const std::int64_t product = first / geometry_.outs;
      const std::int64_t end = std::min(last, (product + 1) * geometry_.outs);
      if (!RunChannels(context, product, first % geometry_.outs, end - first, room)) return;
      first = end;
    }
  }

  /// Channels [m, m + count) of a product; false if the run is to end.
  bool RunChannels(KernelContext& context, std::int64_t product, std::int64_t m, std::int64_t count,
                   float* room) const {
    const Geometry& g = geometry_;
    const std::int64_t size = g.window.input_size();
    const float* const x = context.input(0)->data<float>().data() + product * g.ins * g.positions;
    float* const y = context.output(0).data<float>().data() + (product * g.outs + m) * size;
    const std::int64_t channel = product % g.groups * g.outs + m;
    for (std::int64_t i = 0; i < count; ++i) {
      std::fill_n(y + i * size, size,
                  has_bias_ ? context.input(2)->data<float>()[At(channel + i)] : 0.0F);
    }
    Pause pause;
    for (std::int64_t at = 0; at < g.positions; at += g.at_once) {
      const std::int64_t positions = std::min(g.at_once, g.positions - at);
      if (pause.MustStop(positions * g.ins * count * g.taps)) return false;
      const std::int64_t padded = std::max(kLeastPositions, positions);
      Gather(x + at, positions, padded, room);
      for (std::int64_t i = 0; i < count; i += g.near_outs) {
        const std::int64_t some = std::min(g.near_outs, count - i);
        const float* const sums = Multiply(channel + i, some, padded, room);
        for (std::int64_t k = 0; k < some; ++k) {
          Spread(sums + k * g.taps * padded, padded, at, positions, y + (i + k) * size);
        }
      }
    }
    return true;
  }

  /// Rows of positions, zeros after the last.
  void Gather(const float* x, std::int64_t positions, std::int64_t padded, float* room) const {
    for (std::int64_t c = 0; c < geometry_.ins; ++c, x += geometry_.positions, room += padded) {
      std::memcpy(room, x, static_cast<std::size_t>(positions) * sizeof(float));
      std::fill(room + positions, room + padded, 0.0F);
    }
  }

  /// The taps of channels [channel, channel + count) at the positions that are in `room`.
  const float* Multiply(std::int64_t channel, std::int64_t count, std::int64_t positions,
                        float* room) const {
    const Geometry& g = geometry_;
    const PointwiseRows rows{.w = turned_.data<float>().data() + channel * g.taps * g.ins,
                             .x = room,
                             .y = room + g.ins * positions,
                             .m = count * g.taps,
                             .k = g.ins,
                             .n = positions,
                             .y_stride = positions};
    RunPointwise(rows, 0, PointwiseVectors(positions));
    return rows.y;
  }

  /// Adds the taps of one channel at positions [at, at + positions); rows of `sums` lie `stride`
  /// numbers apart.
  void Spread(const float* sums, std::int64_t stride, std::int64_t at, std::int64_t positions,
              float* y) const {
    const Geometry& g = geometry_;
    const std::int64_t tap_width = g.window.kernel.back();
    const std::int64_t width = g.window.input.back();
    for (std::int64_t tap = 0; tap < g.line_taps(); ++tap, sums += tap_width * stride) {
      for (std::int64_t line = at / g.width; line * g.width < at + positions; ++line) {
        const std::int64_t to = lines_[At(tap * g.lines + line)];
        if (to == kOutside) continue;
        const std::int64_t start = line * g.width - at;
        AddTaps({.x = sums + start,
                 .y = y + to * width,
                 .x_stride = stride,
                 .stride = g.window.strides.back(),
                 .taps = taps_,
                 .in_pairs = in_pairs_,
                 .begin = std::max<std::int64_t>(0, -start),
                 .end = std::min(g.width, positions - start)});
      }
    }
  }

  Geometry geometry_;
  Tensor turned_;
  bool has_bias_;
  std::vector<std::int64_t> lines_;  ///< of the output, by tap and line of the input
  std::vector<LineTap> taps_;        ///< along a line
  bool in_pairs_;
};

}  // namespace

std::string DeclineConvTransposeColumns(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  const Result<ConvShape> shape = TransposeShapeOf(node);
  if (!shape) return shape.error().message;
  if (node.inputs[1].constant == nullptr) return "the weights are no constant";
  const Window& window = shape->window;
  const std::int64_t positions = window.output_size();
  if (positions < kLeastPositions) return Message("only ", positions, " positions");
  const std::int64_t outs = shape->out_channels / shape->groups;
  const bool by_one = std::ranges::all_of(window.strides, [](std::int64_t s) { return s == 1; });
  const bool few = outs <= kMostChannels || (!by_one && window.strides.size() < 3);
  return few ? "" : Message(outs, " channels of output in a group");
}

Result<std::unique_ptr<Executable>> PrepareConvTransposeColumns(const NodeFacts& node,
                                                                DeviceContext& device) {
  const ConvShape shape = TRY(TransposeShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  Tensor rows = TRY(RowsOfTaps(node, shape, device));
  return std::unique_ptr<Executable>(
      new Columns(node, GeometryOf(shape), finish, std::move(rows), Cpu(device).threads()));
}

}  // namespace slipway::runtime
