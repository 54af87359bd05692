// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/op.h"

/// Products of quantised matrices, exact: 8-bit operands are multiplied and summed in double.
namespace slipway::runtime {

/// A parameter of one operand (scale, zero point) as it broadcasts to the operand: a vector runs
/// along the rows of A and the columns of B.
Shape ParameterShape(const Shape& parameter, bool of_rows);

/// Elements less their zero point, in double.
Result<Tensor> Centered(KernelContext& context, const Tensor& x, const Tensor* zero_point,
                        bool of_rows);

/// The product of two tensors of double by NumPy's rules.
Result<Tensor> Product(KernelContext& context, const Tensor& a, const Tensor& b);

}  // namespace slipway::runtime
