// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "runtime/graph/plan.h"
#include "runtime/tuning.h"

namespace slipway::runtime {

/// What a session's plans choose kernels by where these are measured. Thread-safe.
class KernelTuner {
 public:
  using Duration = std::chrono::steady_clock::duration;
  explicit KernelTuner(const Tuning& tuning)
      : measured_(tuning.measured),
        clock_(tuning.clock == nullptr ? SystemClock() : *tuning.clock),
        left_(tuning.budget) {}

  MeasuredKernels& measured() const { return *measured_; }
  std::chrono::steady_clock::time_point Now() const { return clock_.Steady(); }
  /// What may still be spent on measuring.
  Duration left() const { return left_.load(std::memory_order_relaxed); }
  void Spend(Duration time) { left_.store(left() - time, std::memory_order_relaxed); }

 private:
  std::shared_ptr<MeasuredKernels> measured_;
  Clock& clock_;
  std::atomic<Duration> left_;
};

/// Whether the node is worth measuring: it has work to do, and kernels to choose among.
bool IsMeasured(const NodeData& node, const NodeFacts& facts);

/// Text that is the same for nodes that the same kernel serves best.
std::string KindOfNode(const NodeData& node, const NodeFacts& facts, const KernelChoice& choice,
                       int threads);

/// Measures the kernels that can serve each step of a plan whose kernels are not chosen yet, those
/// with most operations first, as long as the tuner's budget lasts. Each serves as it would in a
/// run. What is known already is not measured again; the kernel that goes first by rule stays so
/// unless another one is clearly quicker.
void MeasureKernels(const Plan& plan, const KernelChoice& choice, DeviceContext& device);

}  // namespace slipway::runtime
