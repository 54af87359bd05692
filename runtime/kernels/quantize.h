// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/op.h"

/// Scales and zero points of linear quantisation.
namespace slipway::runtime {

/// Which scale belongs to which element of a tensor: one for all, one per index of an axis, or
/// one per block along it.
struct ScaleMap {
  std::int64_t dim = 1, inner = 1, block = 0, blocks = 1;
  std::int64_t At(std::int64_t element) const {
    if (block == 0) return 0;
    const std::int64_t index = element / inner % dim / block;
    if (blocks == dim && block == 1 && one_row) return index;
    return (element / (inner * dim) * blocks + index) * inner + element % inner;
  }
  bool one_row = false;  ///< scales are a vector along the axis
};

/// From attributes `axis` and `block_size`; `scale` is the shape of the scales. kInvalidArgument
/// where the shapes do not fit.
Result<ScaleMap> ScaleMapOf(const NodeFacts& node, const Shape& x, const Shape& scale);

/// Smallest and largest value of an integer type, of 2 bits to 32.
struct IntegerRange {
  double least, most;
};
IntegerRange RangeOfInteger(DType dtype);

/// int8 and uint8.
bool IsByte(DType dtype);

/// Elements in another type, as a new tensor.
Result<Tensor> Converted(KernelContext& context, const Tensor& from, DType to);

/// Rounds half to even, shifts by the zero point and saturates; `to` is an integer type.
double QuantizeOne(double scaled, double zero_point, const IntegerRange& range);

/// Scale and zero point by which DynamicQuantizeLinear makes uint8 of `x`.
struct DynamicScale {
  float scale = 1;
  double zero = 0;
  /// One element, in uint8's range.
  double Quantised(float value) const;
};
DynamicScale DynamicScaleOf(std::span<const float> x);
/// The same from the least and the largest of 0 and the elements.
DynamicScale DynamicScaleOf(float least, float most);

/// `quotient` as if it had been computed in that float type.
double RoundedTo(DType dtype, double quotient);

}  // namespace slipway::runtime
