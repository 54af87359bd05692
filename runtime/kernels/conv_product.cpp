// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sgemm.h"

namespace slipway::runtime {
namespace {

/// Numbers that are worth a thread's beginning.
constexpr std::int64_t kGrain = 16 << 10;

/// y [M, positions] = w [M, C] * x [C, positions] for each image. What is added lies in y before.
class ConvProduct final : public Executable {
 public:
  ConvProduct(const NodeFacts& node, ConvShape shape, ConvFinish finish)
      : shape_(std::move(shape)), finish_(finish), has_bias_(node.Has(2)), has_sum_(node.Has(3)) {}

  Result<void> Run(KernelContext& context) const override {
    const std::int64_t positions = shape_.window.output_size();
    if (has_bias_ || has_sum_) PutAdded(context);
    for (std::int64_t image = 0; image < shape_.batch && !MustStop(); ++image) {
      const float* const x = context.input(0)->data<float>().data();
      float* const y = context.output(0).data<float>().data();
      TRY(Sgemm({.a = context.input(1)->data<float>().data(),
                 .b = x + image * shape_.in_channels * positions,
                 .y = y + image * shape_.out_channels * positions,
                 .m = shape_.out_channels,
                 .n = positions,
                 .k = shape_.in_channels,
                 .lda = shape_.in_channels,
                 .ldb = positions,
                 .ldy = positions,
                 .beta = has_bias_ || has_sum_ ? 1.0F : 0.0F}));
    }
    Hold(context);
    finish_.Rest(context);
    return {};
  }

 private:
  void PutAdded(KernelContext& context) const {
    const std::int64_t positions = shape_.window.output_size();
    const std::int64_t channels = shape_.out_channels;
    const float* const bias = has_bias_ ? context.input(2)->data<float>().data() : nullptr;
    const float* const z = has_sum_ ? context.input(3)->data<float>().data() : nullptr;
    float* const y = context.output(0).data<float>().data();
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / positions);
    context.ParallelFor(shape_.batch * channels, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float added = bias == nullptr ? 0.0F : bias[row % channels];
        float* const to = y + row * positions;
        for (std::int64_t i = 0; i < positions; ++i) {
          to[i] = added + (z == nullptr ? 0.0F : z[row * positions + i]);
        }
      }
    });
  }

  /// Within the bounds of the activation; what is no number stays so.
  void Hold(KernelContext& context) const {
    const ConvBounds bounds = finish_.bounds();
    const ConvBounds open;
    if (bounds.least == open.least && bounds.most == open.most) return;
    float* const y = context.output(0).data<float>().data();
    context.ParallelFor(context.output(0).size(), kGrain,
                        [=](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = begin; i < end; ++i) {
                            y[i] = bounds.Held(y[i]);
                          }
                        });
  }

  ConvShape shape_;
  ConvFinish finish_;
  bool has_bias_, has_sum_;
};

}  // namespace

std::string DeclineConvProduct(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->groups != 1 || !IsPointwise(shape->window)) {
    return "no product of all channels at each position";
  }
  return node.attributes.Int("shuffle", 1) > 1 ? "channels are shuffled" : "";
}

Result<std::unique_ptr<Executable>> PrepareConvProduct(const NodeFacts& node,
                                                       DeviceContext& /*device*/) {
  ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  return std::unique_ptr<Executable>(new ConvProduct(node, std::move(shape), finish));
}

}  // namespace slipway::runtime
