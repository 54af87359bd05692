// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread's beginning.
constexpr std::int64_t kLeastWork = 1 << 18;
/// Of a group, with all of which a vector of positions is multiplied at once.
constexpr std::int64_t kMostWeights = 1 << 24;

/// Each group of each image is a product of matrices: its channels by the positions. Threads share
/// the positions of all of them.
class GroupedPointwise final : public Executable {
 public:
  GroupedPointwise(const NodeFacts& node, ConvShape shape, ConvFinish finish)
      : shape_(std::move(shape)),
        finish_(finish),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)),
        shuffled_(node.attributes.Int("shuffle", 1) > 1) {}

  Result<void> Run(KernelContext& context) const override {
    const std::int64_t ins = shape_.in_channels / shape_.groups;
    const std::int64_t outs = shape_.out_channels / shape_.groups;
    const std::int64_t vectors = PointwiseVectors(shape_.window.output_size());
    const std::int64_t grain =
        std::max<std::int64_t>(1, kLeastWork / (ins * outs * kLeastPositions));
    const std::int64_t products = shape_.batch * shape_.groups;
    context.ParallelFor(products * vectors, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end;) {
        const std::int64_t first = at % vectors;
        const std::int64_t last = std::min(vectors, first + end - at);
        RunPointwise(RowsOf(context, at / vectors), first, last);
        at += last - first;
      }
    });
    finish_.Rest(context);
    return {};
  }

 private:
  PointwiseRows RowsOf(KernelContext& context, std::int64_t product) const {
    const std::int64_t n = shape_.window.output_size();
    const std::int64_t ins = shape_.in_channels / shape_.groups;
    const std::int64_t outs = shape_.out_channels / shape_.groups;
    const std::int64_t image = product / shape_.groups, group = product % shape_.groups;
    // Channel m of group g is the m-th of its group, or the g-th of the m-th after the shuffle.
    const std::int64_t first = image * shape_.out_channels + (shuffled_ ? group : group * outs);
    const auto numbers = [&](std::size_t input) { return context.input(input)->data<float>(); };
    return {.w = numbers(1).data() + group * outs * ins,
            .x = numbers(0).data() + product * ins * n,
            .bias = has_bias_ ? numbers(2).data() + group * outs : nullptr,
            .z = has_sum_ ? numbers(3).data() + first * n : nullptr,
            .y = context.output(0).data<float>().data() + first * n,
            .m = outs,
            .k = ins,
            .n = n,
            .y_stride = shuffled_ ? shape_.groups * n : n,
            .bounds = finish_.bounds()};
  }

  ConvShape shape_;
  ConvFinish finish_;
  bool has_bias_, has_sum_, shuffled_;
};

}  // namespace

std::string DeclineConvMeasuredGrouped(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  const Window& window = shape->window;
  if (!IsPointwise(window)) return "no product of channels at each position alone";
  if (shape->batch == 0 || window.output_size() < kLeastPositions) return "few positions";
  const std::int64_t weights = CountOf(node.shape(1), 0, 2);
  return weights / shape->groups > kMostWeights ? "a vector takes too long to wait for" : "";
}

std::string DeclineConvGrouped(const NodeFacts& node) {
  std::string why = DeclineConvMeasuredGrouped(node);
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  const std::int64_t ins = shape->in_channels / shape->groups;
  const std::int64_t outs = shape->out_channels / shape->groups;
  if (shape->groups == 1) return "one group";
  const std::int64_t block = std::max<std::int64_t>(1, ChannelBlock());
  return ins % block == 0 && outs % block == 0 ? "groups are whole blocks of channels" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvGrouped(const NodeFacts& node,
                                                       DeviceContext& /*device*/) {
  ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  return std::unique_ptr<Executable>(new GroupedPointwise(node, std::move(shape), finish));
}

}  // namespace slipway::runtime
