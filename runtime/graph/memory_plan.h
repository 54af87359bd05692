// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace slipway::runtime {

/// A buffer that is needed from step `first` to step `last`, both inclusive.
struct Interval {
  std::int64_t first = 0, last = 0;
  std::int64_t bytes = 0;
};

struct MemoryPlan {
  std::vector<std::int64_t> offsets;  ///< one per interval, multiples of 64
  std::int64_t bytes = 0;             ///< of the arena
  std::int64_t live_bytes = 0;        ///< most that is live at one step: no plan can do with less
};

/// Places buffers in one arena so that no two that live at one step overlap. Large ones first,
/// each into the smallest gap it fits; other orders are tried where that wastes memory.
/// kResourceExhausted if the sum does not fit 63 bits.
Result<MemoryPlan> PlanMemory(std::span<const Interval> intervals);

}  // namespace slipway::runtime
