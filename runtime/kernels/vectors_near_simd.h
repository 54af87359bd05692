// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// How near an example lies to each of many vectors, in double, with the widest vectors this
/// machine has. `columns`: numbers of one feature of all vectors side by side, `count` of them, a
/// multiple of kNearPad. Thread-safe; they allocate nothing.
namespace slipway::runtime {

inline constexpr std::int64_t kNearPad = 8;

struct VectorColumns {
  const double* columns;
  std::int64_t features, count;
};
/// `near` = the sums of products with `x`.
void Products(const VectorColumns& vectors, const double* x, double* near);
/// `near` = exp(`factor` times the squared distances from `x`).
void RadialBasis(const VectorColumns& vectors, const double* x, double factor, double* near);

}  // namespace slipway::runtime
