// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/kernel_trial.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/graph/node_context.h"

namespace slipway::runtime {
namespace {

using Duration = KernelTuner::Duration;

constexpr int kLeastRounds = 3, kMostRounds = 20;
/// Of one node's kernels together, once there were enough rounds; or one, where they take so long
/// that nothing short disturbs them.
constexpr Duration kEnough = std::chrono::milliseconds(5), kLong = 30 * kEnough;
/// Of the time of the kernel that goes first by rule: what is no quicker may be so by chance.
constexpr double kClearly = 0.95;
/// Times the quickest: what takes longer twice is not tried again.
constexpr int kHopeless = 3;

/// More than a core has in caches of its own.
constexpr std::int64_t kMostOther = 4 << 20;

struct Candidate {
  PreparedKernel prepared;
  Duration best = Duration::max();
};

/// Those of the ladder that can serve, the one that goes first by rule in front.
std::vector<Candidate> CandidatesOf(const NodeFacts& node, const KernelChoice& choice,
                                    DeviceContext& device, const TrialTime& time) {
  std::vector<const Kernel*> able;
  for (const Kernel& kernel : node.op->kernels) {
    const auto is_same = [&](const Kernel* other) { return other->name == kernel.name; };
    if (kernel.device != choice.device || IsReference(kernel) ||
        std::ranges::any_of(able, is_same)) {
      continue;
    }
    if (kernel.declines == nullptr || kernel.declines(node).empty()) able.push_back(&kernel);
  }
  std::vector<Candidate> candidates;
  if (able.size() < 2) return candidates;
  for (const Kernel* kernel : able) {
    if (MustStop() || time.tuner.Now() >= time.end) return {};
    auto prepared = PrepareKernel(*kernel, node, device);
    if (!prepared && prepared.error().code == Code::kResourceExhausted) return {};
    if (!prepared || !prepared->declined.empty()) continue;
    candidates.push_back({.prepared = *std::move(prepared)});
  }
  return candidates;
}

/// Small numbers of either sign, none of them denormal.
void FillIn(Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32) {
    std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
    return;
  }
  constexpr std::size_t kPeriod = 17;
  const auto numbers = tensor.data<float>();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = (static_cast<float>(i % kPeriod) - 8) / 16;
  }
}

/// The values that a node's kernels work on.
struct Operands {
  std::vector<Value> values, results;
  std::vector<const Value*> inputs;
  std::vector<Value*> outputs;
};

Result<void> MakeOperands(const NodeFacts& node, Operands& operands) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueFacts& facts = node.inputs[i];
    if (!node.Has(i)) {
      operands.values.emplace_back();
    } else if (facts.constant != nullptr) {
      operands.values.emplace_back(*facts.constant);
    } else {
      Tensor tensor = TRY(Tensor::Make(facts.dtype, *facts.shape));
      FillIn(tensor);
      operands.values.emplace_back(std::move(tensor));
    }
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueFacts& facts = node.outputs[i];
    if (i == 0 && node.overwrites >= 0) {
      operands.results.push_back(operands.values[static_cast<std::size_t>(node.overwrites)]);
      continue;
    }
    Tensor tensor = TRY(Tensor::Make(facts.dtype, *facts.shape));
    FillIn(tensor);
    operands.results.emplace_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < operands.values.size(); ++i) {
    operands.inputs.push_back(node.Has(i) ? &operands.values[i] : nullptr);
  }
  for (std::size_t i = 0; i < operands.results.size(); ++i) {
    const bool wanted = i < node.outputs_wanted.size() && node.outputs_wanted[i];
    operands.outputs.push_back(wanted ? &operands.results[i] : nullptr);
  }
  return {};
}

/// One node's kernels on the same operands.
class Trial {
 public:
  Trial(const NodeFacts& node, std::vector<Candidate> candidates, int threads,
        const TrialTime& time)
      : node_(node), candidates_(std::move(candidates)), threads_(threads), time_(time) {}

  std::optional<MeasuredKernel> Run() {
    if (!Open() || !WarmUp()) return std::nullopt;
    const auto begin = time_.tuner.Now();
    for (int round = 0; round < kMostRounds; ++round) {
      const auto now = time_.tuner.Now();
      const Duration spent = now - begin;
      if (round >= kLeastRounds && (spent >= kEnough || now >= time_.end)) break;
      if (round > 0 && spent >= kLong) break;
      for (Candidate& candidate : candidates_) {
        if (!RunOnce(candidate)) return std::nullopt;
      }
    }
    return Outcome();
  }

 private:
  bool Open() {
    std::int64_t scratch = 0;
    for (const Candidate& candidate : candidates_) {
      scratch = std::max(scratch, candidate.prepared.scratch_bytes());
    }
    auto room = Tensor::Make(DType::kUint8, {scratch});
    auto other = Tensor::Make(DType::kUint8, {std::min(time_.other_bytes, kMostOther) * threads_});
    if (!room || !other || !MakeOperands(node_, operands_)) return false;
    room_ = *std::move(room);
    other_ = *std::move(other);
    std::memset(other_.raw(), 1, static_cast<std::size_t>(other_.bytes()));
    // The first kernel is not to wait for the machine's pages.
    std::memset(room_.raw(), 0, static_cast<std::size_t>(scratch));
    return true;
  }

  /// Each once, or twice where it may have been interrupted, and then without those that are much
  /// slower than another.
  bool WarmUp() {
    Duration quickest = Duration::max();
    for (Candidate& candidate : candidates_) {
      if (time_.tuner.Now() >= time_.end || !RunOnce(candidate)) return false;
      quickest = std::min(quickest, candidate.best);
    }
    const auto is_hopeless = [&](const Candidate& candidate) {
      return candidate.best / kHopeless > quickest;
    };
    for (Candidate& candidate : candidates_) {
      if (is_hopeless(candidate) && !RunOnce(candidate)) return false;
    }
    for (std::size_t i = candidates_.size(); i-- > 1;) {
      if (!is_hopeless(candidates_[i])) continue;
      dropped_.emplace_back(candidates_[i].prepared.kernel->name, candidates_[i].best);
      candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return true;
  }

  /// False where it failed: nothing is to be said of this node.
  bool RunOnce(Candidate& candidate) {
    const auto bytes = static_cast<std::size_t>(candidate.prepared.scratch_bytes());
    NodeContext context({.inputs = operands_.inputs,
                         .outputs = operands_.outputs,
                         .scratch = {static_cast<std::byte*>(room_.raw()), bytes},
                         .threads = threads_});
    ReadOther(context);
    const auto begin = time_.tuner.Now();
    if (!candidate.prepared.Run(node_, context) || !context.TakeError()) return false;
    candidate.best = std::min(candidate.best, time_.tuner.Now() - begin);
    return true;
  }

  /// What happens from one run of the node to the next: others read their weights, and what this
  /// one works on is written.
  void ReadOther(KernelContext& context) {
    Read(context, other_);
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const Tensor* tensor = operands_.values[i].tensor();
      if (tensor != nullptr && node_.inputs[i].constant == nullptr) Read(context, *tensor);
    }
    for (const Value& result : operands_.results) Read(context, *result.tensor());
  }

  void Read(KernelContext& context, const Tensor& tensor) {
    constexpr std::int64_t kLine = 64;
    const std::span<const std::byte> bytes = tensor.raw_bytes();
    const auto lines = static_cast<std::int64_t>(bytes.size()) / kLine;
    context.ParallelFor(lines, std::max<std::int64_t>(1, lines / threads_),
                        [&](std::int64_t begin, std::int64_t end) {
                          unsigned sum = 0;
                          for (std::int64_t i = begin; i < end; ++i) {
                            sum +=
                                static_cast<unsigned>(bytes[static_cast<std::size_t>(i * kLine)]);
                          }
                          read_.fetch_add(sum, std::memory_order_relaxed);
                        });
  }

  MeasuredKernel Outcome() const {
    using Microseconds = std::chrono::duration<double, std::micro>;
    const Candidate* chosen = &candidates_.front();
    const double first = Microseconds(chosen->best).count();
    MeasuredKernel measured;
    for (const Candidate& candidate : candidates_) {
      const double time = Microseconds(candidate.best).count();
      measured.microseconds.emplace(candidate.prepared.kernel->name, time);
      if (time < kClearly * first && candidate.best < chosen->best) chosen = &candidate;
    }
    for (const auto& [name, best] : dropped_) {
      measured.microseconds.emplace(name, Microseconds(best).count());
    }
    measured.kernel = chosen->prepared.kernel->name;
    return measured;
  }

  const NodeFacts& node_;
  std::vector<Candidate> candidates_;  ///< never empty
  std::vector<std::pair<std::string, Duration>> dropped_;
  int threads_;
  const TrialTime& time_;
  Operands operands_;
  Tensor room_, other_;
  std::atomic<unsigned> read_ = 0;  ///< so that what is read is used
};

}  // namespace

std::optional<MeasuredKernel> TryKernels(const NodeFacts& node, const KernelChoice& choice,
                                         DeviceContext& device, const TrialTime& time) {
  auto candidates = CandidatesOf(node, choice, device, time);
  if (candidates.size() < 2) return std::nullopt;
  return Trial(node, std::move(candidates), device.threads(), time).Run();
}

}  // namespace slipway::runtime
