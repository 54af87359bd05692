// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

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
  kSwish,
  kGelu,
  kGeluTanh,
};
/// kInvalidArgument naming an unknown one.
Result<ConvActivation> ConvActivationOf(const NodeFacts& node);
double Activate(ConvActivation activation, double x, double alpha, double beta);

/// Whether Winograd's way serves a convolution on images that lie row by row or in blocks. Its
/// rounding errors are larger than those of sums.
bool HasWinograd(const NodeFacts& node);
/// What that spares: products, less what turning numbers costs, and what its weights take beside
/// those of the sum, in numbers.
struct WinogradGain {
  double products = 0, weights = 0;
};
/// Nothing where it is no quicker than the sum itself, as follows from the shapes and the
/// processor's kind alone.
std::optional<WinogradGain> GainOfWinograd(const NodeFacts& node);

/// oneDNN's convolution for float32, as a sum.
std::string DeclineConvDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvDnnl(const NodeFacts& node, DeviceContext& device);

/// The same with what is multiplied in bfloat16 or in bytes, as attribute `precision` of the fused
/// operator asks; bytes have a scale for each image and for each channel of the output.
std::string DeclineConvBf16(const NodeFacts& node);
std::string DeclineConvInt8(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvLow(const NodeFacts& node, DeviceContext& device);
/// Whether the convolution would be quicker so, as follows from shapes and the processor's kind.
bool GainsByLowConv(const NodeFacts& node, Precision precision, DeviceContext& device);

/// The sum by Winograd's way. Attribute `algorithm` of the fused operator asks for it (`winograd`)
/// or allows it where it was measured as quicker (`any`).
std::string DeclineConvWinograd(const NodeFacts& node);
std::string DeclineConvMeasuredWinograd(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvWinograd(const NodeFacts& node,
                                                        DeviceContext& device);

/// Convolutions of 1x1 in groups that do not fill oneDNN's blocks, as products of matrices. With
/// attribute `shuffle` of the fused operator, the number of groups, the channels come out as those
/// of [N, groups, C / groups, H, W] with dimensions 1 and 2 exchanged.
std::string DeclineConvGrouped(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvGrouped(const NodeFacts& node,
                                                       DeviceContext& device);

/// What the same kernel cannot do, however slow it may be at the rest.
std::string DeclineConvMeasuredGrouped(const NodeFacts& node);

/// Convolutions of 1x1 in one group as products of matrices by oneDNN's BLAS function: weights and
/// images are taken as they lie.
std::string DeclineConvProduct(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvProduct(const NodeFacts& node,
                                                       DeviceContext& device);

/// Convolutions of every channel by itself, of 3x3, 5x5 or 7x7, on images that lie row by row.
std::string DeclineConvDepthwise(const NodeFacts& node);
std::string DeclineConvMeasuredDepthwise(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvDepthwise(const NodeFacts& node,
                                                         DeviceContext& device);

/// Convolutions with at most four channels of output, of stride 1, on images that lie row by row.
std::string DeclineConvFew(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvFew(const NodeFacts& node, DeviceContext& device);

}  // namespace slipway::runtime
