// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv_finish.h"

#include <optional>

#include "runtime/kernels/curves_simd.h"

namespace slipway::runtime {
namespace {

/// Nothing for what is no curve of ours.
std::optional<Curve> CurveOf(ConvActivation activation) {
  switch (activation) {
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
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<ConvFinish> ConvFinish::Of(const NodeFacts& node) {
  ConvFinish finish;
  finish.rest_ = TRY(ConvActivationOf(node));
  finish.alpha_ = node.attributes.Float("activation_alpha", 0);
  finish.beta_ = node.attributes.Float("activation_beta", 0);
  if (finish.rest_ == ConvActivation::kRelu) finish.bounds_.least = 0;
  if (finish.rest_ == ConvActivation::kClip) finish.bounds_ = {finish.alpha_, finish.beta_};
  if (finish.rest_ == ConvActivation::kRelu || finish.rest_ == ConvActivation::kClip) {
    finish.rest_ = ConvActivation::kNone;
  }
  return finish;
}

void ConvFinish::Rest(KernelContext& context) const {
  constexpr std::int64_t kGrain = 4 << 10;
  if (rest_ == ConvActivation::kNone) return;
  const auto curve = CurveOf(rest_);
  float* const y = context.output(0).data<float>().data();
  context.ParallelFor(context.output(0).size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (curve) return RunCurve({*curve, alpha_, beta_}, y + begin, y + begin, end - begin);
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = static_cast<float>(Activate(rest_, static_cast<double>(y[i]),
                                         static_cast<double>(alpha_), static_cast<double>(beta_)));
    }
  });
}

}  // namespace slipway::runtime
