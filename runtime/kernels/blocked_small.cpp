// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "runtime/kernels/blocked.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/small_image_simd.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

/// Numbers that are moved while a call of oneDNN begins, and some more.
constexpr std::int64_t kMostMoved = 4 << 10;

std::string DeclineMany(std::int64_t numbers) {
  return numbers > kMostMoved ? "there is much to move" : "";
}

class SmallReorder final : public Executable {
 public:
  /// `plain`: of [N, C, H, W].
  SmallReorder(const Shape& plain, std::int64_t block, bool to_blocks)
      : batch_(plain[0]),
        channels_(plain[1]),
        positions_(plain[2] * plain[3]),
        block_(block),
        to_blocks_(to_blocks) {}

  Result<void> Run(KernelContext& context) const override {
    const float* x = context.input(0)->data<float>().data();
    float* y = context.output(0).data<float>().data();
    for (std::int64_t image = 0; image < batch_; ++image) {
      for (std::int64_t first = 0; first < channels_; first += block_) {
        const std::int64_t count = std::min(block_, channels_ - first);
        if (to_blocks_) {
          IntoBlock(x, count, y);
        } else {
          OutOfBlock(x, count, y);
        }
        x += (to_blocks_ ? count : block_) * positions_;
        y += (to_blocks_ ? block_ : count) * positions_;
      }
    }
    return {};
  }

 private:
  void IntoBlock(const float* x, std::int64_t count, float* y) const {
    for (std::int64_t i = 0; i < positions_; ++i, y += block_) {
      for (std::int64_t c = 0; c < count; ++c) y[c] = x[c * positions_ + i];
      std::fill(y + count, y + block_, 0.0F);
    }
  }

  void OutOfBlock(const float* x, std::int64_t count, float* y) const {
    for (std::int64_t i = 0; i < positions_; ++i, x += block_) {
      for (std::int64_t c = 0; c < count; ++c) y[c * positions_ + i] = x[c];
    }
  }

  std::int64_t batch_, channels_, positions_, block_;
  bool to_blocks_;
};

/// The facts of a pool on blocks as those of one on [N, C, H, W].
Result<Window> WindowOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  NodeFacts plain = node;
  plain.inputs[0].shape = PlainShape(x, x[1] * x[4]);
  return PoolWindow(plain);
}

class SmallPoolExecutable final : public Executable {
 public:
  /// Of windows none of which is empty.
  SmallPoolExecutable(const NodeFacts& node, const Window& window)
      : planes_(node.shape(0)[0] * node.shape(0)[1]),
        block_(node.shape(0)[4]),
        plane_(window.input_size() * block_) {
    const bool average = IsAveragePool(node);
    const bool counts_pads = node.attributes.Int("count_include_pad", 0) != 0;
    std::vector<Tap> taps;
    for (std::int64_t at = 0; at < window.output_size(); ++at) {
      window.Taps(at, taps);
      for (const Tap& tap : taps) taps_.push_back(static_cast<std::int32_t>(tap.input * block_));
      ends_.push_back(static_cast<std::int32_t>(taps_.size()));
      const auto seen = static_cast<std::int64_t>(taps.size());
      if (average) {
        counts_.push_back(static_cast<float>(counts_pads ? window.PaddedCount(at) : seen));
      }
    }
  }

  Result<void> Run(KernelContext& context) const override {
    RunSmallPool({.x = context.input(0)->data<float>().data(),
                  .planes = planes_,
                  .plane = plane_,
                  .taps = taps_,
                  .ends = ends_,
                  .counts = counts_,
                  .y = context.output(0).data<float>().data()},
                 block_);
    return {};
  }

 private:
  std::int64_t planes_, block_, plane_;
  std::vector<std::int32_t> taps_, ends_;
  std::vector<float> counts_;  ///< per position, of an average
};

}  // namespace

std::string DeclineSmallReorder(const NodeFacts& node) {
  const auto numbers = [](const Shape& shape) { return CountOf(shape, 0, shape.size()); };
  return DeclineMany(std::max(numbers(node.shape(0)), numbers(*node.outputs[0].shape)));
}

Result<std::unique_ptr<Executable>> PrepareSmallToBlocks(const NodeFacts& node, DeviceContext&) {
  return std::unique_ptr<Executable>(
      new SmallReorder(node.shape(0), node.outputs[0].shape->back(), true));
}

Result<std::unique_ptr<Executable>> PrepareSmallFromBlocks(const NodeFacts& node, DeviceContext&) {
  return std::unique_ptr<Executable>(
      new SmallReorder(*node.outputs[0].shape, node.shape(0).back(), false));
}

std::string DeclineSmallPool(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  if (x[4] != 8 && x[4] != 16) return "blocks are of other sizes";
  const auto window = WindowOf(node);
  if (!window) return window.error().message;
  std::string why = DeclineMany(x[0] * x[1] * x[4] * window->input_size());
  if (!why.empty()) return why;
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t reach = (window->kernel[d] - 1) * window->dilations[d] + 1;
    const std::int64_t last = (window->output[d] - 1) * window->strides[d] - window->pads_begin[d];
    if (window->pads_begin[d] >= reach || last >= window->input[d] ||
        window->dilations[d] > window->input[d]) {
      return "a window may lie in the padding";
    }
  }
  return "";
}

Result<std::unique_ptr<Executable>> PrepareSmallPool(const NodeFacts& node, DeviceContext&) {
  const Window window = TRY(WindowOf(node));
  return std::unique_ptr<Executable>(new SmallPoolExecutable(node, window));
}

}  // namespace slipway::runtime
