// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Reductions of float32 with the widest vectors this machine has. Thread-safe; they allocate
/// nothing.
namespace slipway::runtime {

/// Those that are kept in double.
enum class Total : std::uint8_t { kSum, kSumOfSizes, kSumOfSquares, kProduct };
/// Those that are one of the elements: NaN where one is no number, infinite where there is none.
enum class Extreme : std::uint8_t { kMax, kMin };

/// results[r] is that of row r; `x`: [rows, count].
void ResultsOfRows(Total which, const float* x, std::int64_t rows, std::int64_t count,
                   double* results);
void ResultsOfRows(Extreme which, const float* x, std::int64_t rows, std::int64_t count,
                   float* results);

/// Columns of a matrix of `count` rows that begin `step` apart.
struct ColumnsOf {
  const float* x = nullptr;
  std::int64_t count = 0, step = 0;
  std::int64_t columns = 0;
};
/// results[c] is that of column c.
void ResultsOfColumns(Total which, const ColumnsOf& from, double* results);
void ResultsOfColumns(Extreme which, const ColumnsOf& from, float* results);

}  // namespace slipway::runtime
