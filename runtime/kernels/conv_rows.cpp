// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_rows.h"

#include <algorithm>
#include <vector>

#include "runtime/device/cpu.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/row_product_simd.h"

namespace slipway::runtime {
namespace {

/// Positions of all images. Where there are more, the weights are not what takes the time.
constexpr std::int64_t kMostRows = 8;
/// What the windows cover, of which there is a list.
constexpr std::int64_t kMostCovered = std::int64_t{1} << 20;
/// Weights whose reading is worth a thread's beginning.
constexpr std::int64_t kLeastWeights = 1 << 18;

std::int64_t DepthOf(const ConvShape& shape) {
  return shape.in_channels * shape.window.kernel_size();
}

std::int64_t WidthOf(const ConvShape& shape) {
  return (shape.out_channels + kRowPad - 1) / kRowPad * kRowPad;
}

/// Numbers of the image that go to a row, one after the other.
struct Span {
  std::int64_t from, to, count;
};

/// Those of all rows of one image, [positions, channels of kernel].
std::vector<Span> RunsOf(const ConvShape& shape) {
  const Window& window = shape.window;
  const std::int64_t taps = window.kernel_size();
  std::vector<Span> runs;
  std::vector<Tap> covered;
  for (std::int64_t at = 0; at < window.output_size(); ++at) {
    window.Taps(at, covered);
    for (std::int64_t c = 0; c < shape.in_channels; ++c) {
      for (const Tap& tap : covered) {
        const std::int64_t from = c * window.input_size() + tap.input;
        const std::int64_t to = (at * shape.in_channels + c) * taps + tap.kernel;
        if (!runs.empty() && runs.back().from + runs.back().count == from &&
            runs.back().to + runs.back().count == to) {
          ++runs.back().count;
        } else {
          runs.push_back({.from = from, .to = to, .count = 1});
        }
      }
    }
  }
  return runs;
}

/// The weights [M, depth] as a matrix [depth, M and zeros] in panels.
Result<Tensor> PanelsOf(const Tensor& weights, std::int64_t depth, std::int64_t width) {
  Tensor panels = TRY(Tensor::Make(DType::kFloat32, {depth, width}));
  std::ranges::fill(panels.data<float>(), 0.0F);
  const float* from = weights.data<float>().data();
  for (std::int64_t m = 0; m < weights.dim(0); ++m, from += depth) {
    const Panel panel = PanelOf(m, width);
    float* column = panels.data<float>().data() + panel.begin * depth + m - panel.begin;
    for (std::int64_t k = 0; k < depth; ++k) column[k * panel.stride] = from[k];
  }
  return panels;
}

class ConvRowsExecutable final : public Executable, public HoldsWeights {
 public:
  ConvRowsExecutable(const NodeFacts& node, ConvShape shape, const ConvFinish& finish,
                     Tensor panels)
      : shape_(std::move(shape)),
        finish_(finish),
        panels_(std::move(panels)),
        runs_(RunsOf(shape_)),
        has_bias_(node.Has(2)),
        positions_(shape_.window.output_size()),
        depth_(DepthOf(shape_)),
        width_(WidthOf(shape_)) {}

  bool holds_weights() const override { return true; }

  std::int64_t scratch_bytes() const override {
    return rows() * (depth_ + width_) * static_cast<std::int64_t>(sizeof(float));
  }

  Result<void> Run(KernelContext& context) const override {
    auto* const covered = reinterpret_cast<float*>(context.scratch().data());
    float* const sums = covered + rows() * depth_;
    Cover(*context.input(0), covered);
    const std::int64_t panels = (width_ + kPanelColumns - 1) / kPanelColumns;
    const std::int64_t grain = std::max<std::int64_t>(1, kLeastWeights / (depth_ * kPanelColumns));
    context.ParallelFor(panels, grain, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t begin = first * kPanelColumns;
      const std::int64_t end = std::min(width_, last * kPanelColumns);
      Begin(context, begin, end, sums);
      AddRowProduct({.x = covered,
                     .w = panels_.data<float>().data() + begin * depth_,
                     .y = sums + begin,
                     .rows = rows(),
                     .depth = depth_,
                     .width = end - begin,
                     .x_stride = depth_,
                     .y_stride = width_});
      Store(context, begin, std::min(end, shape_.out_channels), sums);
    });
    finish_.Rest(context);
    return {};
  }

 private:
  std::int64_t rows() const { return shape_.batch * positions_; }

  void Cover(const Tensor& x, float* covered) const {
    std::fill_n(covered, rows() * depth_, 0.0F);
    const float* from = x.data<float>().data();
    for (std::int64_t image = 0; image < shape_.batch; ++image) {
      for (const Span& run : runs_) {
        for (std::int64_t i = 0; i < run.count; ++i) covered[run.to + i] = from[run.from + i];
      }
      from += shape_.in_channels * shape_.window.input_size();
      covered += positions_ * depth_;
    }
  }

  /// Sums begin with the bias.
  void Begin(KernelContext& context, std::int64_t begin, std::int64_t end, float* sums) const {
    const std::int64_t known = std::min(end, shape_.out_channels);
    for (std::int64_t row = 0; row < rows(); ++row) {
      float* const to = sums + row * width_;
      std::fill(to + begin, to + end, 0.0F);
      if (has_bias_) {
        const float* const bias = context.input(2)->data<float>().data();
        std::copy(bias + begin, bias + known, to + begin);
      }
    }
  }

  /// Channels [begin, end) of all images.
  void Store(KernelContext& context, std::int64_t begin, std::int64_t end,
             const float* sums) const {
    const ConvBounds bounds = finish_.bounds();
    for (std::int64_t row = 0; row < rows(); ++row) {
      const float* const from = sums + row * width_;
      float* const to = context.output(0).data<float>().data() +
                        row / positions_ * shape_.out_channels * positions_ + row % positions_;
      for (std::int64_t m = begin; m < end; ++m) {
        to[m * positions_] = bounds.Held(from[m]);
      }
    }
  }

  ConvShape shape_;
  ConvFinish finish_;
  Tensor panels_;
  std::vector<Span> runs_;
  bool has_bias_;
  std::int64_t positions_, depth_, width_;
};

}  // namespace

std::string DeclineConvRows(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  if (node.inputs[1].constant == nullptr) return "the weights are not known";
  if (shape->groups != 1) return "channels in groups";
  if (node.Has(3) || node.attributes.Int("shuffle", 1) > 1) return "something is added";
  const std::int64_t positions = shape->window.output_size();
  if (shape->out_channels < 1 || DepthOf(*shape) < 1 || shape->batch < 1 || positions < 1) {
    return "nothing to multiply";
  }
  if (positions > kMostRows || shape->batch > kMostRows / positions) return "many positions";
  return DepthOf(*shape) > kMostCovered / kMostRows ? "windows that cover much" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvRows(const NodeFacts& node, DeviceContext& device) {
  ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  const Tensor& weights = *node.inputs[1].constant;
  Tensor panels = TRY(Cpu(device).Packed(
      weights, "rows", [&] { return PanelsOf(weights, DepthOf(shape), WidthOf(shape)); }));
  return std::unique_ptr<Executable>(
      new ConvRowsExecutable(node, std::move(shape), finish, std::move(panels)));
}

}  // namespace slipway::runtime
