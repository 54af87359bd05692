// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/reduce_simd.h"

/// Sums of exponentials of float32, kept in double, with the widest vectors this machine has.
/// Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// The sum of e^(x[i] - largest), where no x[i] is larger; any number where `largest` is none.
double ExpSumOfRow(const float* x, std::int64_t count, float largest);
/// sums[c] is that of column c, relative to largest[c].
void ExpSumsOfColumns(const ColumnsOf& from, const float* largest, double* sums);

}  // namespace slipway::runtime
