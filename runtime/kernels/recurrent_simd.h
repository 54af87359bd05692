// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/row_product_simd.h"

/// The inner loops of the recurrent operators in float32, with the widest vectors this machine has.
/// Widths are multiples of `kRecurrentPad`. Thread-safe; they allocate nothing.
namespace slipway::runtime {

inline constexpr std::int64_t kRecurrentPad = kRowPad;

/// `h` = Tanh or Relu of `sums`. Values are first held within `clip`, unless that is negative.
void RnnCell(const float* sums, bool relu, float clip, float* h, std::int64_t width);

/// `sums`: of the gates i, o, f and c, one after the other. `peepholes`: of i, o and f, or null.
void LstmCell(const float* sums, const float* peepholes, float clip, float* c, float* h,
              std::int64_t width);

/// Gates z and r of a GRU, in place.
void GruGates(float* sums, float clip, std::int64_t width);
/// `scaled` = r * h.
void GruReset(const float* r, const float* h, float* scaled, std::int64_t width);
/// `h` = (1 - z) * Tanh(input + recurrent) + z * h; `recurrent` is first multiplied by `r`, unless
/// that is null.
struct GruStep {
  const float *z, *r, *input, *recurrent;
  float clip;
  float* h;
};
void GruCell(const GruStep& step, std::int64_t width);

}  // namespace slipway::runtime
