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
