// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/kernels/conv.h"

namespace slipway::runtime {

/// From X [N, C, spatial...] and W [C, M / group, kernel...]. The window is that of the
/// convolution whose gradient this is: it slides over our output (`window.input`) and makes our
/// input (`window.output`). kInvalidArgument naming what does not fit.
Result<ConvShape> TransposeShapeOf(const NodeFacts& node);

/// The constant weights as rows of input channels, group by group, one for each tap of each channel
/// of output; the model's, shared.
Result<Tensor> RowsOfTaps(const NodeFacts& node, const ConvShape& shape, DeviceContext& device);

/// Windows that lie side by side, as where decoders double a picture: products of matrices, whose
/// rows are then put between each other.
std::string DeclineConvTransposeApart(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvTransposeApart(const NodeFacts& node,
                                                              DeviceContext& device);

/// Windows that stride, or few channels of output: a product of matrices, whose rows are added
/// where the windows lie.
std::string DeclineConvTransposeColumns(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvTransposeColumns(const NodeFacts& node,
                                                                DeviceContext& device);

/// oneDNN's deconvolution for float32.
std::string DeclineConvTransposeDnnl(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareConvTransposeDnnl(const NodeFacts& node,
                                                             DeviceContext& device);

}  // namespace slipway::runtime
