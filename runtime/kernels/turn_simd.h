// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace slipway::runtime {

/// A matrix in memory, turned: to[row * to_step + column] = from[column * from_step + row].
/// Elements are any of 4 bytes, steps count elements, and both do not overlap. Thread-safe.
void TurnWords(const std::uint32_t* from, std::int64_t from_step, std::uint32_t* to,
               std::int64_t to_step, std::int64_t rows, std::int64_t columns);

}  // namespace slipway::runtime
