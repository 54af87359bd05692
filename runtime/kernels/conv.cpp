// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/conv.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/gelu.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<ConvShape> ConvShapeOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const Shape& w = node.shape(1);
  const Shape spatial = TRY(SpatialOf(x));
  if (w.size() != x.size()) return Invalid("weights of ", w, " do not fit input of ", x);
  const Shape kernel(w.begin() + 2, w.end());
  const Shape given = node.attributes.Ints("kernel_shape", kernel);
  if (given != kernel) {
    return Invalid("attribute `kernel_shape` is ", given, ", the weights have ", kernel);
  }
  ConvShape shape{.batch = x[0],
                  .in_channels = x[1],
                  .out_channels = w[0],
                  .groups = node.attributes.Int("group", 1)};
  const std::int64_t groups = shape.groups;
  if (groups < 1 || x[1] % groups != 0 || w[0] % groups != 0 || x[1] / groups != w[1]) {
    return Invalid("weights of ", w, " in ", groups, " groups do not fit input of ", x);
  }
  if (node.Has(2) && node.shape(2) != Shape{w[0]}) {
    return Invalid("bias of ", node.shape(2), " does not fit weights of ", w);
  }
  shape.window = TRY(MakeWindow(node, spatial, kernel));
  return shape;
}

Result<ConvActivation> ConvActivationOf(const NodeFacts& node) {
  const std::string_view name = node.attributes.String("activation", "");
  if (name.empty()) return ConvActivation::kNone;
  if (name == "Relu") return ConvActivation::kRelu;
  if (name == "Clip") return ConvActivation::kClip;
  if (name == "LeakyRelu") return ConvActivation::kLeakyRelu;
  if (name == "Sigmoid") return ConvActivation::kSigmoid;
  if (name == "Tanh") return ConvActivation::kTanh;
  if (name == "Elu") return ConvActivation::kElu;
  if (name == "HardSigmoid") return ConvActivation::kHardSigmoid;
  if (name == "HardSwish") return ConvActivation::kHardSwish;
  if (name == "Swish") return ConvActivation::kSwish;
  if (name == "Gelu") return ConvActivation::kGelu;
  if (name == "GeluTanh") return ConvActivation::kGeluTanh;
  return Invalid("attribute `activation` is `", name, "`, which is none");
}

double Activate(ConvActivation activation, double x, double alpha, double beta) {
  switch (activation) {
    case ConvActivation::kNone:
      return x;
    case ConvActivation::kRelu:
      return x < 0 ? 0 : x;
    case ConvActivation::kClip:
      x = x < alpha ? alpha : x;
      return x > beta ? beta : x;
    case ConvActivation::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case ConvActivation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ConvActivation::kTanh:
      return std::tanh(x);
    case ConvActivation::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case ConvActivation::kHardSigmoid:
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    case ConvActivation::kHardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ConvActivation::kSwish:
      return x / (1 + std::exp(-alpha * x));
    case ConvActivation::kGelu:
      return ErfGelu(x);
    case ConvActivation::kGeluTanh:
      return TanhGelu(x);
  }
  return x;
}

}  // namespace slipway::runtime
