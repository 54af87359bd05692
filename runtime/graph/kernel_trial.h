// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "runtime/graph/kernel_tuner.h"

namespace slipway::runtime {

/// How long a trial may go on, and what surrounds the node in a run.
struct TrialTime {
  KernelTuner& tuner;
  std::chrono::steady_clock::time_point end;
  /// That other nodes read from one run of this one to the next: what it works on leaves the caches
  /// meanwhile.
  std::int64_t other_bytes = 0;
};

/// Runs the kernels of a node's ladder that can serve it, on numbers that are made up where they
/// are no constants: each once to warm up, then in turns, and the quickest run of each counts.
/// Nothing where there are not two of them, or where there is no time or memory to compare them.
std::optional<MeasuredKernel> TryKernels(const NodeFacts& node, const KernelChoice& choice,
                                         DeviceContext& device, const TrialTime& time);

}  // namespace slipway::runtime
