// SPDX-License-Identifier: Apache-2.0
// com.microsoft: FusedConv: activation(Conv(X, W, B) + Z), FusedGemm: activation(Gemm(A, B, C))
// (1). Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include "runtime/kernels/conv.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/finished_product.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Attributes `activation_alpha` and `activation_beta` as `slipway.Conv` reads them: given ones
/// stay, the others get what the activation's own operator has.
void CompleteActivation(Attributes& attributes) {
  struct Defaults {
    std::string_view name;
    float alpha, beta;
  };
  constexpr Defaults kDefaults[] = {
      {"LeakyRelu", 0.01F, 0}, {"Elu", 1, 0}, {"HardSigmoid", 0.2F, 0.5F}};
  for (const Defaults& defaults : kDefaults) {
    if (attributes.String("activation", "") != defaults.name) continue;
    if (!attributes.Has("activation_alpha")) attributes.Set("activation_alpha", defaults.alpha);
    if (!attributes.Has("activation_beta")) attributes.Set("activation_beta", defaults.beta);
  }
}

Result<NodeFacts> AsConv(const NodeFacts& node) {
  NodeFacts conv = AsNodeOf(node, "slipway", "Conv", 1);
  const auto params = node.attributes.Floats("activation_params");
  if (params.size() > 2) {
    return Invalid("attribute `activation_params` has ", params.size(), " entries");
  }
  if (!params.empty()) conv.attributes.Set("activation_alpha", params[0]);
  if (params.size() > 1) conv.attributes.Set("activation_beta", params[1]);
  if (node.attributes.String("activation", "") == "Clip" && params.size() != 2) {
    return Invalid("attribute `activation_params` has not the two bounds of Clip");
  }
  CompleteActivation(conv.attributes);
  return conv;
}

Result<Facts> InferConv(const NodeFacts& node) {
  const NodeFacts conv = TRY(AsConv(node));
  return conv.op->infer(conv);
}

template <bool reference>
Result<std::unique_ptr<Executable>> PrepareConv(const NodeFacts& node, DeviceContext& device) {
  return PrepareNode(TRY(AsConv(node)), reference, device);
}

NodeFacts AsGemm(const NodeFacts& node) { return AsNodeOf(node, "", "Gemm", 13); }

Result<Facts> InferGemm(const NodeFacts& node) {
  TRY(ConvActivationOf(node));
  const NodeFacts gemm = AsGemm(node);
  return gemm.op->infer(gemm);
}

template <bool reference>
Result<std::unique_ptr<Executable>> PrepareGemm(const NodeFacts& node, DeviceContext& device) {
  Attributes attributes = node.attributes;
  CompleteActivation(attributes);
  const ConvActivation activation = TRY(ConvActivationOf(node));
  const ProductFinish finish{.activation = activation,
                             .alpha = static_cast<double>(attributes.Float("activation_alpha", 0)),
                             .beta = static_cast<double>(attributes.Float("activation_beta", 0))};
  auto gemm = TRY(PrepareNode(AsGemm(node), reference, device));
  return FinishedProduct(node, std::move(gemm), finish);
}

constexpr Kernel kConv[] = {{.name = "fused_conv", .prepare = PrepareConv<false>},
                            {.name = "fused_conv_reference", .prepare = PrepareConv<true>}};
constexpr Kernel kGemm[] = {{.name = "fused_gemm", .prepare = PrepareGemm<false>},
                            {.name = "fused_gemm_reference", .prepare = PrepareGemm<true>}};

}  // namespace

OpList ops_ms_fused() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "FusedConv",
            .domain = "com.microsoft",
            .signature = "X:T, W:T, B?:T, Z?:T -> Y:T",
            .types = kT<kFloatTypes>,
            .attributes = "activation:string, activation_params:floats, auto_pad:string=NOTSET, "
                          "dilations:ints, group:int=1, kernel_shape:ints, pads:ints, strides:ints",
            .infer = InferConv,
            .kernels = kConv},
      OpDef{.type = "FusedGemm",
            .domain = "com.microsoft",
            .signature = "A:T, B:T, C?:T -> Y:T",
            .types = kT<kFloatTypes>,
            .attributes = "activation:string, activation_alpha:float, activation_beta:float, "
                          "activation_gamma:float, alpha:float=1.0, beta:float=1.0, transA:int=0, "
                          "transB:int=0",
            .infer = InferGemm,
            .kernels = kGemm},
  });
  return kOps;
}

}  // namespace slipway::runtime
