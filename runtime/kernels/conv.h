// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/window.h"
#include "runtime/op.h"

namespace slipway::runtime {

/// A convolution's geometry.
struct ConvShape {
  std::int64_t batch = 0, in_channels = 0, out_channels = 0, groups = 1;
  Window window = {};
};

/// From X [N, C, spatial...] and W [M, C / group, kernel...]. kInvalidArgument naming what does
/// not fit.
Result<ConvShape> ConvShapeOf(const NodeFacts& node);

/// The function applied to the sum, in the fused operator: attribute `activation` is the ONNX
/// operator's name or empty. `activation_alpha` and `activation_beta` are its parameters: the
/// bounds of Clip, alpha of LeakyRelu and Elu, alpha and beta of HardSigmoid. `GeluTanh` is Gelu
/// approximated by the hyperbolic tangent.
enum class ConvActivation : std::uint8_t {
  kNone,
  kRelu,
  kClip,
  kLeakyRelu,
  kSigmoid,
  kTanh,
  kElu,
  kHardSigmoid,
  kHardSwish,
  kGelu,
  kGeluTanh,
};
/// kInvalidArgument naming an unknown one.
Result<ConvActivation> ConvActivationOf(const NodeFacts& node);
double Activate(ConvActivation activation, double x, double alpha, double beta);

/// Whether Winograd's way of a convolution, whose rounding errors are larger, is quicker than the
/// sum itself. Follows from the shapes and the processor's kind alone.
bool GainsByWinograd(const NodeFacts& node, DeviceContext& device);

/// oneDNN's convolution for float32. Attribute `algorithm` of the fused operator: `winograd`, which
/// is taken where oneDNN has it, or empty.
std::string DeclineConvDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvDnnl(const NodeFacts& node, DeviceContext& device);

/// Convolutions of 1x1 in groups that do not fill oneDNN's blocks, as products of matrices. With
/// attribute `shuffle` of the fused operator, the number of groups, the channels come out as those
/// of [N, groups, C / groups, H, W] with dimensions 1 and 2 exchanged.
std::string DeclineConvGrouped(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvGrouped(const NodeFacts& node,
                                                       DeviceContext& device);

/// Convolutions of every channel by itself, of 3x3 or 5x5, on images that lie row by row.
std::string DeclineConvDepthwise(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvDepthwise(const NodeFacts& node,
                                                         DeviceContext& device);

/// Convolutions with at most four channels of output, of stride 1, on images that lie row by row.
std::string DeclineConvFew(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvFew(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
