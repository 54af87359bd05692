// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "runtime/bounds.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/pool_rows_simd.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

/// Numbers that are worth a piece of their own.
constexpr std::int64_t kGrain = 16 << 10;
/// Numbers of lines that are joined before rows are; these stay in the cache.
constexpr std::int64_t kTogether = 4 << 10;
constexpr std::size_t kDimensions = 3;

bool CountsPads(const NodeFacts& node) { return node.attributes.Int("count_include_pad", 0) != 0; }

/// Operations on numbers for one row of the output.
double WorkOfRow(const Window& window) {
  return static_cast<double>(window.input.back()) * static_cast<double>(window.kernel_size());
}

class PoolRowsExecutable final : public Executable {
 public:
  /// Of images whose positions are blocks of so many numbers; `planes` of them.
  PoolRowsExecutable(const NodeFacts& node, const Window& window, std::int64_t planes,
                     std::int64_t block)
      : planes_(planes), in_size_(window.input_size() * block) {
    pool_.block = block;
    const std::size_t absent = kDimensions - window.input.size();
    const std::array<PoolSide*, kDimensions> sides = {&pool_.depth, &pool_.height, &pool_.width};
    for (std::size_t i = 0; i < kDimensions; ++i) {
      const std::size_t d = i - absent;
      const bool is_there = i >= absent;
      spans_[i] = is_there ? PoolSpansOf(window, d, CountsPads(node))
                           : std::vector<PoolSpan>{{.first = 0, .size = 1, .count = 1}};
      *sides[i] = is_there ? PoolSide{.input = window.input[d],
                                      .kernel = window.kernel[d],
                                      .stride = window.strides[d],
                                      .dilation = window.dilations[d],
                                      .pad = window.pads_begin[d]}
                           : PoolSide{.input = 1, .kernel = 1, .stride = 1, .dilation = 1};
      sides[i]->spans = spans_[i];
    }
    if (!IsAveragePool(node)) return;
    for (const PoolSpan& span : pool_.width.spans)
      counts_.insert(counts_.end(), At(block), span.count);
    pool_.counts = counts_;
  }

  Result<void> Run(KernelContext& context) const override {
    const float* const x = context.input(0)->data<float>().data();
    float* const y = context.output(0).data<float>().data();
    const std::int64_t rows = SizeOf(pool_.depth) * SizeOf(pool_.height);
    const std::int64_t size = SizeOf(pool_.width) * pool_.block;
    if (planes_ * rows * size == 0) return {};
    const std::int64_t together = std::clamp<std::int64_t>(kTogether / pool_.line(), 1, rows);
    const std::int64_t parts = (rows + together - 1) / together;
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain * parts / in_size_);
    context.ParallelFor(planes_ * parts, grain, [&](std::int64_t begin, std::int64_t end) {
      CountedVector<float> room = PoolRoom(pool_, together);
      for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
        const std::int64_t plane = i / parts, first = i % parts * together;
        RunPoolRows(pool_, first, std::min(rows, first + together), x + plane * in_size_, room,
                    y + (plane * rows + first) * size);
      }
    });
    return {};
  }

 private:
  static std::int64_t SizeOf(const PoolSide& side) {
    return static_cast<std::int64_t>(side.spans.size());
  }

  std::int64_t planes_, in_size_;
  std::vector<float> counts_ = {};
  std::array<std::vector<PoolSpan>, kDimensions> spans_ = {};
  PoolRows pool_ = {};
};

}  // namespace

std::vector<PoolSpan> PoolSpansOf(const Window& window, std::size_t d, bool counts_pads) {
  const std::int64_t dilation = window.dilations[d];
  /// Of positions `dilation` apart how many are below `end`.
  const auto below = [dilation](std::int64_t end) {
    return end <= 0 ? 0 : (end - 1) / dilation + 1;
  };
  std::vector<PoolSpan> spans;
  for (std::int64_t i = 0; i < window.output[d]; ++i) {
    const std::int64_t start = i * window.strides[d] - window.pads_begin[d];
    const std::int64_t before = below(-start);
    const std::int64_t end = std::min(window.kernel[d], below(window.input[d] - start));
    const std::int64_t padded =
        std::min(window.kernel[d], below(window.input[d] + window.pads_end[d] - start));
    spans.push_back({.first = start + before * dilation,
                     .size = end - before,
                     .count = static_cast<float>(counts_pads ? padded : end - before)});
  }
  return spans;
}

std::string DeclinePoolRows(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "the input is not float32";
  if (node.outputs.size() > 1 && node.outputs_wanted[1]) return "the indices are wanted";
  const Result<Window> window = PoolWindow(node);
  if (!window) return window.error().message;
  if (window->input.size() > kDimensions) {
    return Message(window->input.size(), " spatial dimensions");
  }
  if (StepsOf(2, WorkOfRow(*window)) == 1) return "a row takes too long to wait for";
  for (std::size_t d = 0; d < window->input.size(); ++d) {
    const auto is_empty = [](const PoolSpan& span) { return span.size <= 0; };
    const std::int64_t last = (window->output[d] - 1) * window->strides[d] - window->pads_begin[d];
    const std::int64_t end = last + (window->kernel[d] - 1) * window->dilations[d] + 1;
    if (window->pads_begin[d] > window->input[d] || end > 2 * window->input[d]) {
      return "there is more padding than image";
    }
    if (std::ranges::any_of(PoolSpansOf(*window, d, false), is_empty)) {
      return "a window lies in the padding";
    }
  }
  return "";
}

Result<std::unique_ptr<Executable>> PreparePoolRows(const NodeFacts& node, DeviceContext&) {
  const Window window = TRY(PoolWindow(node));
  const std::int64_t planes = node.shape(0)[0] * node.shape(0)[1];
  return std::unique_ptr<Executable>(new PoolRowsExecutable(node, window, planes, 1));
}

Result<std::unique_ptr<Executable>> PrepareBlockedPool(const NodeFacts& node, DeviceContext&) {
  const Shape& x = node.shape(0);
  NodeFacts plain = node;
  plain.inputs[0].shape = PlainShape(x, x[1] * x[4]);
  const Window window = TRY(PoolWindow(plain));
  return std::unique_ptr<Executable>(new PoolRowsExecutable(node, window, x[0] * x[1], x[4]));
}

}  // namespace slipway::runtime
