// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime/bounds.h"
#include "runtime/kernels/conv_pieces.h"
#include "runtime/kernels/conv_transpose.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Numbers that input and product of some positions may have, to stay near.
constexpr std::int64_t kNear = 96 << 10;
/// Products of fewer positions are not worth their copies.
constexpr std::int64_t kFewPositions = 64;

/// One group of one image, as a product of matrices: every tap of every channel of output, by the
/// positions of the input. A line is the positions along the last dimension.
struct Geometry {
  std::int64_t products;  ///< images times groups
  std::int64_t groups;
  std::int64_t ins, outs, taps;
  std::int64_t lines, width;  ///< of the input
  std::int64_t at_once;       ///< lines
  std::int64_t tap_width;     ///< of the kernel along the last dimension
  Window window;

  std::int64_t rows() const { return outs * taps; }
  std::int64_t chunks() const { return (lines + at_once - 1) / at_once; }
  std::int64_t room() const { return std::max(kLeastPositions, at_once * width) * (ins + rows()); }
};

Geometry GeometryOf(const ConvShape& shape) {
  Geometry g{.products = shape.batch * shape.groups,
             .groups = shape.groups,
             .ins = shape.in_channels / shape.groups,
             .outs = shape.out_channels / shape.groups,
             .taps = shape.window.kernel_size(),
             .lines = 1,
             .width = shape.window.output.back(),
             .at_once = 1,
             .tap_width = shape.window.kernel.back(),
             .window = shape.window};
  g.lines = shape.window.output_size() / g.width;
  g.at_once = std::clamp<std::int64_t>(kNear / (g.width * (g.ins + g.rows())), 1, g.lines);
  return g;
}

/// Which line of the output the taps of `line_tap` (of all but the last dimension) put `line` in.
std::int64_t OutputLine(const Window& window, std::int64_t line, std::int64_t line_tap) {
  std::int64_t at = 0, stride = 1;
  for (std::size_t d = window.kernel.size() - 1; d-- > 0;) {
    const std::int64_t position = line % window.output[d] * window.kernel[d];
    at += (position + line_tap % window.kernel[d]) * stride;
    stride *= window.input[d];
    line /= window.output[d];
    line_tap /= window.kernel[d];
  }
  return at;
}

/// y[j * taps + b] = x[b][j] + bias; rows of x lie `stride` numbers apart.
void Interleave(const float* x, std::int64_t stride, std::int64_t taps, std::int64_t width,
                float bias, float* y) {
  if (taps == 2) {
    const float* const other = x + stride;
    for (std::int64_t j = 0; j < width; ++j) {
      y[2 * j] = x[j] + bias;
      y[2 * j + 1] = other[j] + bias;
    }
    return;
  }
  for (std::int64_t b = 0; b < taps; ++b, x += stride) {
    for (std::int64_t j = 0; j < width; ++j) y[j * taps + b] = x[j] + bias;
  }
}

/// Windows lie side by side: each number of the output comes from one position of the input.
class Apart final : public ConvPieces, public HoldsWeights {
 public:
  Apart(const NodeFacts& node, const Geometry& geometry, const ConvFinish& finish, Tensor turned,
        int threads)
      : ConvPieces(geometry.products * geometry.chunks(),
                   std::min<std::int64_t>(threads, geometry.products * geometry.chunks()),
                   geometry.room(), finish),
        geometry_(geometry),
        turned_(std::move(turned)),
        has_bias_(node.Has(2)) {}

  bool holds_weights() const override { return true; }

 private:
  void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                float* room) const override {
    const Geometry& g = geometry_;
    Pause pause;
    for (std::int64_t part = first; part < last; ++part) {
      const std::int64_t line = part % g.chunks() * g.at_once;
      const std::int64_t lines = std::min(g.at_once, g.lines - line);
      if (pause.MustStop(lines * g.width * g.ins * g.rows())) return;
      const std::int64_t product = part / g.chunks();
      const std::int64_t positions = std::max(kLeastPositions, lines * g.width);
      float* const sums = room + g.ins * positions;
      Gather(context.input(0)->data<float>().data() + product * g.ins * g.lines * g.width, line,
             lines, positions, room);
      const PointwiseRows rows{
          .w = turned_.data<float>().data() + product % g.groups * g.rows() * g.ins,
          .x = room,
          .y = sums,
          .m = g.rows(),
          .k = g.ins,
          .n = positions,
          .y_stride = positions};
      RunPointwise(rows, 0, PointwiseVectors(positions));
      Spread(context, product, line, lines, positions, sums);
    }
  }

  /// Rows of positions, zeros after the last.
  void Gather(const float* x, std::int64_t line, std::int64_t lines, std::int64_t positions,
              float* room) const {
    const std::int64_t count = lines * geometry_.width;
    for (std::int64_t c = 0; c < geometry_.ins; ++c, room += positions) {
      const float* const from = x + (c * geometry_.lines + line) * geometry_.width;
      std::memcpy(room, from, static_cast<std::size_t>(count) * sizeof(float));
      std::fill(room + count, room + positions, 0.0F);
    }
  }

  void Spread(KernelContext& context, std::int64_t product, std::int64_t line, std::int64_t lines,
              std::int64_t positions, const float* sums) const {
    const Geometry& g = geometry_;
    const std::int64_t size = g.window.input_size();
    const std::int64_t line_taps = g.taps / g.tap_width;
    const float* bias =
        has_bias_ ? context.input(2)->data<float>().data() + product % g.groups * g.outs : nullptr;
    float* y = context.output(0).data<float>().data() + product * g.outs * size;
    for (std::int64_t m = 0; m < g.outs; ++m, y += size) {
      const float added = bias == nullptr ? 0 : bias[m];
      for (std::int64_t tap = 0; tap < line_taps; ++tap, sums += g.tap_width * positions) {
        for (std::int64_t i = 0; i < lines; ++i) {
          float* const to = y + OutputLine(g.window, line + i, tap) * g.window.input.back();
          Interleave(sums + i * g.width, positions, g.tap_width, g.width, added, to);
        }
      }
    }
  }

  Geometry geometry_;
  Tensor turned_;
  bool has_bias_;
};

}  // namespace

std::string DeclineConvTransposeApart(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  const Result<ConvShape> shape = TransposeShapeOf(node);
  if (!shape) return shape.error().message;
  if (node.inputs[1].constant == nullptr) return "the weights are no constant";
  const Window& window = shape->window;
  for (std::size_t d = 0; d < window.kernel.size(); ++d) {
    const bool apart = window.kernel[d] == window.strides[d] && window.dilations[d] == 1 &&
                       window.pads_begin[d] == 0 &&
                       window.input[d] == window.output[d] * window.kernel[d];
    if (!apart) return "windows do not lie side by side";
  }
  const std::int64_t positions = window.output_size();
  return positions < kFewPositions ? Message("only ", positions, " positions") : "";
}

Result<std::unique_ptr<Executable>> PrepareConvTransposeApart(const NodeFacts& node,
                                                              DeviceContext& device) {
  const ConvShape shape = TRY(TransposeShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  Tensor rows = TRY(RowsOfTaps(node, shape, device));
  return std::unique_ptr<Executable>(
      new Apart(node, GeometryOf(shape), finish, std::move(rows), Cpu(device).threads()));
}

}  // namespace slipway::runtime
