// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "runtime/kernels/conv_simd.h"

/// What products of bytes take of rows of float32, with the widest vectors this machine has.
/// Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// The largest of the elements without their signs, 0 of none; what is no number where one is none.
float LargestMagnitude(std::span<const float> x);

/// What sums of a row of bytes times a matrix of bytes stand for.
struct RowScale {
  float row = 0;                   ///< of the row
  const float* columns = nullptr;  ///< of each column of the matrix
  const float* added = nullptr;    ///< to each column; null: nothing
  ConvBounds bounds = {};
};
/// y[j] = y[j] * (row * columns[j]) + added[j], held within the bounds.
void ScaleSums(const RowScale& scale, std::span<float> y);

}  // namespace slipway::runtime
