// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// A row times a matrix in float32, with the widest vectors this machine has. Thread-safe; they
/// allocate nothing. What a number of the result is does not depend on which others are computed
/// with it.
namespace slipway::runtime {

/// Columns that are computed together where the matrix lies row by row.
inline constexpr std::int64_t kColumnsAtOnce = 64;

/// y[j] = sum over k of x[k] * w[j][k], for j in [begin, end): rows of `depth` numbers.
void TimesRows(const float* x, const float* w, std::int64_t depth, std::int64_t begin,
               std::int64_t end, float* y);

/// y[j] = sum over k of x[k] * w[k][j], for j in [begin, end): `depth` rows of `width` numbers.
/// `begin` is a multiple of kColumnsAtOnce, `end` too or `width`.
void TimesColumns(const float* x, const float* w, std::int64_t depth, std::int64_t width,
                  std::int64_t begin, std::int64_t end, float* y);

}  // namespace slipway::runtime
