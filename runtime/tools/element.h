// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "runtime/tensor.h"

/// Single elements of tensors of any type, for tools and tests; kernels do not use it.
namespace slipway::runtime {

/// Whether elements are floating-point numbers of any width.
bool IsFloating(DType dtype);
bool IsComplex(DType dtype);
/// Whether elements are integers of any width (bool is none).
bool IsInteger(DType dtype);
bool IsUnsigned(DType dtype);

/// An element of a floating-point tensor.
double FloatAt(const Tensor& tensor, std::int64_t index);
/// Real and imaginary part.
std::pair<double, double> ComplexAt(const Tensor& tensor, std::int64_t index);
/// An element of an integer or bool tensor; uint64 wraps.
std::int64_t IntAt(const Tensor& tensor, std::int64_t index);

/// Rounds to the element type.
void SetFloat(Tensor& tensor, std::int64_t index, double value);
/// kInvalidArgument naming a value the element type does not have.
Result<void> SetInt(Tensor& tensor, std::int64_t index, std::int64_t value);

}  // namespace slipway::runtime
