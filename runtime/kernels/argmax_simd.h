// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Where the largest or smallest elements of float32 are, with the widest vectors this machine
/// has. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// What is best: NaN, then the largest or smallest; of equal ones the first or the last.
struct Best {
  bool largest = true;
  bool last = false;
};

inline constexpr std::int64_t kLeastPlaces = 16;
inline constexpr std::int64_t kMostPlaces = INT32_MAX;

/// The place in a row of `count` elements, from kLeastPlaces to kMostPlaces.
std::int64_t PlaceInRow(const Best& best, const float* x, std::int64_t count);
/// places[c] is that in column c of `count` rows, from one to kMostPlaces, `step` apart.
void PlacesInColumns(const Best& best, const float* x, std::int64_t count, std::int64_t step,
                     std::int64_t columns, std::int64_t* places);

}  // namespace slipway::runtime
