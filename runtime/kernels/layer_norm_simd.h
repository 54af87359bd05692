// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Normalisation of rows of float32 with the widest vectors this machine has; all is computed in
/// double. Thread-safe; they allocate nothing.
namespace slipway::runtime {

struct RowMoments {
  double mean = 0;     ///< 0 where rows are not centred
  double inverse = 1;  ///< of the standard deviation, or of the root mean square
};

/// Numbers of a row, with what is added to them.
struct RowInput {
  const float* x = nullptr;
  const float* skip = nullptr;  ///< null: nothing
  const float* bias = nullptr;  ///< null: nothing
  std::int64_t count = 0;
};
/// What becomes of it: y = (x - mean) * inverse * scale + shift.
struct RowNorm {
  double epsilon = 0;
  bool centered = true;
  const float* scale = nullptr;
  const float* shift = nullptr;  ///< null: nothing
  float* sum = nullptr;          ///< null, or room for the sums that are normalised
  float* y = nullptr;            ///< null: the moments alone
};
/// `room`: for as many numbers.
RowMoments NormalizeRow(const RowInput& input, const RowNorm& norm, double* room);

RowMoments MomentsOfRow(const float* x, std::int64_t count, double epsilon);
/// y = x * factor + offset.
void ScaleRow(const float* x, std::int64_t count, double factor, double offset, float* y);

}  // namespace slipway::runtime
