// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// A float constant that an elementwise node combines with images of `rank` dimensions and
/// `channels`, as one number a channel, [C]: of [1, C, 1, ...], [C, 1, ...] or a single number.
/// Nothing for other tensors.
Result<std::optional<Tensor>> PerChannel(const Tensor& tensor, std::int64_t rank,
                                         std::int64_t channels);

/// Elementwise nodes before opset 7 line their inputs up in ways of their own.
bool LinesUpFromTheRight(const NodeData& node);

/// a[i] * b[i], of one type and shape, float32 or float64; computed in double.
Result<Tensor> ProductOf(const Tensor& a, const Tensor& b);
/// a[i] + b[i], likewise.
Result<Tensor> SumOf(const Tensor& a, const Tensor& b);

}  // namespace slipway::runtime
