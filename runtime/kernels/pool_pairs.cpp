// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/pool_pairs_simd.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

/// Numbers that are worth a piece of their own.
constexpr std::int64_t kGrain = 16 << 10;
/// Columns of a window.
constexpr std::int64_t kPair = 2;
/// Fewer fill no vectors.
constexpr std::int64_t kLeastColumns = 8;

class PoolPairsExecutable final : public Executable {
 public:
  PoolPairsExecutable(const NodeFacts& node, const Window& window)
      : planes_(node.shape(0)[0] * node.shape(0)[1]),
        in_size_(window.input_size()),
        out_size_(window.output_size()) {
    const bool counts_pads = node.attributes.Int("count_include_pad", 0) != 0;
    const std::size_t across = window.input.size() - 1;
    columns_ = PoolSpansOf(window, across, counts_pads);
    rows_ = across == 0 ? std::vector<PoolSpan>{{.first = 0, .size = 1, .count = 1}}
                        : PoolSpansOf(window, 0, counts_pads);
    pool_ = {.rows = rows_,
             .columns = columns_,
             .in_width = window.input[across],
             .average = IsAveragePool(node)};
    const auto whole = [](const PoolSpan& span) { return span.size == kPair; };
    const auto first = std::ranges::find_if(columns_, whole);
    pool_.inner = first - columns_.begin();
    pool_.inner_end = std::find_if_not(first, columns_.end(), whole) - columns_.begin();
  }

  Result<void> Run(KernelContext& context) const override {
    const float* const x = context.input(0)->data<float>().data();
    float* const y = context.output(0).data<float>().data();
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / in_size_);
    context.ParallelFor(planes_, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
        RunPoolPairs(pool_, x + i * in_size_, y + i * out_size_);
      }
    });
    return {};
  }

 private:
  std::int64_t planes_, in_size_, out_size_;
  std::vector<PoolSpan> rows_ = {}, columns_ = {};
  PoolPairs pool_ = {};
};

}  // namespace

std::string DeclinePoolPairs(const NodeFacts& node) {
  std::string why = DeclinePoolRows(node);
  if (!why.empty()) return why;
  const Result<Window> window = PoolWindow(node);
  if (!window) return window.error().message;
  if (window->input.size() > 2) return Message(window->input.size(), " spatial dimensions");
  for (const std::int64_t dilation : window->dilations) {
    if (dilation != 1) return "dilations";
  }
  if (window->strides.back() != kPair || window->kernel.back() != kPair) {
    return "windows that are no pairs next to each other";
  }
  if (window->output.back() < kLeastColumns) return "short rows";
  return "";
}

Result<std::unique_ptr<Executable>> PreparePoolPairs(const NodeFacts& node, DeviceContext&) {
  const Window window = TRY(PoolWindow(node));
  return std::unique_ptr<Executable>(new PoolPairsExecutable(node, window));
}

}  // namespace slipway::runtime
