// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_finish.h"

namespace slipway::runtime {
namespace {

/// Nothing for what bounds say.
std::optional<Curve> CurveOf(ConvActivation activation) {
  switch (activation) {
    case ConvActivation::kNone:
    case ConvActivation::kRelu:
    case ConvActivation::kClip:
      return std::nullopt;
    case ConvActivation::kLeakyRelu:
      return Curve::kLeakyRelu;
    case ConvActivation::kSigmoid:
      return Curve::kSigmoid;
    case ConvActivation::kTanh:
      return Curve::kTanh;
    case ConvActivation::kElu:
      return Curve::kElu;
    case ConvActivation::kHardSigmoid:
      return Curve::kHardSigmoid;
    case ConvActivation::kHardSwish:
      return Curve::kHardSwish;
    case ConvActivation::kSwish:
      return Curve::kSwish;
    case ConvActivation::kGelu:
      return Curve::kGelu;
    case ConvActivation::kGeluTanh:
      return Curve::kGeluTanh;
  }
  return std::nullopt;
}

}  // namespace

Result<ConvFinish> ConvFinish::Of(const NodeFacts& node) {
  ConvFinish finish;
  const ConvActivation activation = TRY(ConvActivationOf(node));
  const float alpha = node.attributes.Float("activation_alpha", 0);
  const float beta = node.attributes.Float("activation_beta", 0);
  if (activation == ConvActivation::kRelu) finish.bounds_.least = 0;
  if (activation == ConvActivation::kClip) finish.bounds_ = {alpha, beta};
  if (const auto curve = CurveOf(activation)) finish.rest_ = CurveCall{*curve, alpha, beta};
  return finish;
}

void ConvFinish::Rest(KernelContext& context) const {
  constexpr std::int64_t kGrain = 4 << 10;
  if (!rest_) return;
  float* const y = context.output(0).data<float>().data();
  context.ParallelFor(context.output(0).size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    RunCurve(*rest_, y + begin, y + begin, end - begin);
  });
}

}  // namespace slipway::runtime
