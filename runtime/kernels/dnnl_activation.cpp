// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/dnnl_activation.h"

namespace slipway::runtime {

using dnnl::algorithm;

void AppendActivation(const NodeFacts& node, ConvActivation activation, dnnl::post_ops& ops) {
  const float alpha = node.attributes.Float("activation_alpha", 0);
  const float beta = node.attributes.Float("activation_beta", 0);
  const auto add = [&](algorithm kind, float a, float b) { ops.append_eltwise(1, kind, a, b); };
  switch (activation) {
    case ConvActivation::kNone:
      return;
    case ConvActivation::kRelu:
      return add(algorithm::eltwise_relu, 0, 0);
    case ConvActivation::kClip:
      return add(algorithm::eltwise_clip_v2, alpha, beta);
    case ConvActivation::kLeakyRelu:
      return add(algorithm::eltwise_relu, alpha, 0);
    case ConvActivation::kSigmoid:
      return add(algorithm::eltwise_logistic, 0, 0);
    case ConvActivation::kTanh:
      return add(algorithm::eltwise_tanh, 0, 0);
    case ConvActivation::kElu:
      return add(algorithm::eltwise_elu, alpha, 0);
    case ConvActivation::kHardSwish:
      return add(algorithm::eltwise_hardswish, 0, 0);
    case ConvActivation::kSwish:
      return add(algorithm::eltwise_swish, alpha, 0);
    case ConvActivation::kHardSigmoid:
      add(algorithm::eltwise_linear, alpha, beta);
      return add(algorithm::eltwise_clip_v2, 0, 1);
    case ConvActivation::kGelu:
      return add(algorithm::eltwise_gelu_erf, 0, 0);
    case ConvActivation::kGeluTanh:
      return add(algorithm::eltwise_gelu_tanh, 0, 0);
  }
}

}  // namespace slipway::runtime
