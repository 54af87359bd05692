// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_simd.h"

/// Convolutions of every channel by itself, row by row, whatever the elements are.
namespace slipway::runtime {

/// Whether it takes every channel by itself, and there is more than one.
bool IsDepthwise(const ConvShape& shape);

/// Why it is no such convolution that RunDepthwise computes; empty: it is.
std::string DeclineDepthwiseShape(const ConvShape& shape);

/// A plane of one that it does, without its numbers.
DepthwisePlane DepthwisePlaneOf(const Window& window, const ConvBounds& bounds = {});

}  // namespace slipway::runtime
