// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/sgemm.h"

namespace slipway::runtime {
namespace {

/// What the product is added to.
void Begin(const float* z, float bias, std::int64_t count, float* y) {
  if (z == nullptr) {
    std::fill_n(y, count, bias);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) y[i] = z[i] + bias;
}

struct Finish {
  ConvActivation activation = ConvActivation::kNone;
  float alpha = 0, beta = 0;
};

void End(const Finish& finish, std::int64_t count, float* y) {
  switch (finish.activation) {
    case ConvActivation::kNone:
      return;
    case ConvActivation::kRelu:
      for (std::int64_t i = 0; i < count; ++i) y[i] = y[i] < 0 ? 0 : y[i];
      return;
    default:
      for (std::int64_t i = 0; i < count; ++i) {
        y[i] = static_cast<float>(Activate(finish.activation, static_cast<double>(y[i]),
                                           static_cast<double>(finish.alpha),
                                           static_cast<double>(finish.beta)));
      }
  }
}

/// Each group of each image is a product of matrices: its channels by the positions.
class GroupedPointwise final : public Executable {
 public:
  GroupedPointwise(const NodeFacts& node, ConvShape shape, Finish finish)
      : shape_(std::move(shape)), finish_(finish), has_bias_(node.Has(2)), has_sum_(node.Has(3)) {}

  Result<void> Run(KernelContext& context) const override {
    const std::int64_t positions = shape_.window.output_size();
    const std::int64_t ins = shape_.in_channels / shape_.groups;
    const std::int64_t outs = shape_.out_channels / shape_.groups;
    const std::int64_t part = StepsOf(positions, 2.0 * static_cast<double>(ins * outs));
    const float* const x = context.input(0)->data<float>().data();
    const float* const w = context.input(1)->data<float>().data();
    for (std::int64_t i = 0; i < shape_.batch * shape_.groups; ++i) {
      const std::int64_t group = i % shape_.groups;
      float* const y = context.output(0).data<float>().data() + i * outs * positions;
      Start(context, i, outs, positions, y);
      for (std::int64_t at = 0; at < positions; at += part) {
        if (MustStop()) return {};
        TRY(Sgemm({.a = w + group * outs * ins,
                   .b = x + i * ins * positions + at,
                   .y = y + at,
                   .m = outs,
                   .n = std::min(part, positions - at),
                   .k = ins,
                   .lda = ins,
                   .ldb = positions,
                   .ldy = positions,
                   .beta = 1}));
      }
      End(finish_, outs * positions, y);
    }
    return {};
  }

 private:
  void Start(KernelContext& context, std::int64_t item, std::int64_t outs, std::int64_t positions,
             float* y) const {
    const float* const bias = has_bias_ ? context.input(2)->data<float>().data() : nullptr;
    const float* const z =
        has_sum_ ? context.input(3)->data<float>().data() + item * outs * positions : nullptr;
    for (std::int64_t m = 0; m < outs; ++m) {
      Begin(z == nullptr ? nullptr : z + m * positions,
            bias == nullptr ? 0 : bias[item % shape_.groups * outs + m], positions,
            y + m * positions);
    }
  }

  ConvShape shape_;
  Finish finish_;
  bool has_bias_, has_sum_;
};

}  // namespace

std::string DeclineGroupedPointwise(const NodeFacts& node) {
  constexpr std::int64_t kLeastChannels = 4;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.Has(i) && node.dtype(i) != DType::kFloat32) return "not float";
  }
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  const Window& window = shape->window;
  const auto is_one = [](std::int64_t x) { return x == 1; };
  if (window.kernel_size() != 1 || !std::ranges::all_of(window.strides, is_one) ||
      window.input != window.output) {
    return "no product of channels at each position alone";
  }
  if (shape->batch == 0 || window.output_size() == 0) return "an input is empty";
  const std::int64_t ins = shape->in_channels / shape->groups;
  const std::int64_t outs = shape->out_channels / shape->groups;
  if (shape->groups == 1 || ins < kLeastChannels || outs < kLeastChannels) return "small groups";
  const std::int64_t block = std::max<std::int64_t>(1, ChannelBlock());
  return ins % block == 0 && outs % block == 0 ? "groups are whole blocks of channels" : "";
}

Result<std::unique_ptr<Executable>> PrepareGroupedPointwise(const NodeFacts& node,
                                                            DeviceContext& /*device*/) {
  const ConvActivation activation = TRY(ConvActivationOf(node));
  ConvShape shape = TRY(ConvShapeOf(node));
  const Finish finish{activation, node.attributes.Float("activation_alpha", 0),
                      node.attributes.Float("activation_beta", 0)};
  return std::unique_ptr<Executable>(new GroupedPointwise(node, std::move(shape), finish));
}

}  // namespace slipway::runtime
