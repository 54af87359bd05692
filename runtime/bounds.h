// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"

/// What bounds the work of a session: memory, time, size. A session makes bounds known to the
/// threads that work for it (BoundsScope); tensors, kernels and the runner ask for those of their
/// thread. Where there are none, only the limits of base/limits.h hold.
namespace slipway::runtime {

/// Memory that the runs of a session share. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(const SessionLimits& limits) : limits_(limits) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// False, and nothing is taken, where it would be more than there may be.
  bool Take(std::int64_t bytes);
  void Give(std::int64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::int64_t used() const { return used_.load(std::memory_order_relaxed); }
  const SessionLimits& limits() const { return limits_; }

 private:
  SessionLimits limits_;
  std::atomic<std::int64_t> used_ = 0;
};

/// The bounds of one run, or of a session while it is made. Used by all threads that work for it.
class Bounds {
 public:
  Bounds(std::shared_ptr<MemoryBudget> memory, RunLimits limits)
      : memory_(std::move(memory)), limits_(limits) {}

  const std::shared_ptr<MemoryBudget>& memory() const { return memory_; }
  /// Whether it may have to end early.
  bool timed() const { return limits_.deadline.has_value() || limits_.cancelled != nullptr; }
  /// Once it was so it stays so, whatever becomes of the flag: work may have been left out.
  bool MustStop() const;
  /// kDeadlineExceeded (`Run.DeadlineExceeded`) or kUnavailable (`Run.Cancelled`).
  Result<void> MayGoOn() const;
  /// Counts a run of a graph inside a node; kResourceExhausted (`Run.TooManyTrips`).
  Result<void> CountTrip();
  /// Remembers that memory was refused where no error could say so.
  void RefuseMemory(std::int64_t bytes) { refused_.store(bytes, std::memory_order_relaxed); }
  void RefuseText(std::int64_t bytes) { refused_text_.store(bytes, std::memory_order_relaxed); }
  /// Bytes refused since it was asked last: of memory, of a tensor's text.
  std::pair<std::int64_t, std::int64_t> TakeRefusal() {
    return {refused_.exchange(0, std::memory_order_relaxed),
            refused_text_.exchange(0, std::memory_order_relaxed)};
  }

 private:
  std::shared_ptr<MemoryBudget> memory_;
  RunLimits limits_;
  mutable std::atomic<bool> cancelled_ = false;
  std::atomic<std::int64_t> trips_ = 0;
  std::atomic<std::int64_t> refused_ = 0, refused_text_ = 0;
};

/// Those of the calling thread; null where there are none.
Bounds* CurrentBounds();

/// Makes bounds those of the calling thread, and puts back the former ones at the end.
class BoundsScope {
 public:
  explicit BoundsScope(Bounds* bounds);
  ~BoundsScope();
  BoundsScope(const BoundsScope&) = delete;
  BoundsScope& operator=(const BoundsScope&) = delete;

 private:
  Bounds* before_;
};

/// Whether the calling thread's work is to end. Kernels ask in loops that may take long, and then
/// return at once, whatever their outputs hold: the run ends with an error. Costs a few
/// nanoseconds, more with a deadline.
bool MustStop();
/// The same as an error.
Result<void> MayGoOn();

/// How many of `count` steps, each of `work` operations on numbers, to give at once to code that
/// cannot be ended: at least one. Does not depend on how long a run may take, so that its results
/// do not.
std::int64_t StepsOf(std::int64_t count, double work);

/// Asks now and then, for loops of steps that are short: `if (pause.MustStop(work)) return`.
class Pause {
 public:
  /// `work`: of the step, in operations on numbers, roughly.
  bool MustStop(std::int64_t work = 1) {
    left_ -= work;
    if (left_ > 0) return false;
    left_ = kWork;
    return runtime::MustStop();
  }

 private:
  static constexpr std::int64_t kWork = 1 << 20;
  std::int64_t left_ = kWork;
};

/// Counts text while a kernel makes it, where little input may ask for much: beyond what there may
/// be Add throws std::bad_alloc, which ends the operator with an error. What it took is given back
/// at the end, when the tensor counts as a whole. Thread-safe.
class TextMeter {
 public:
  TextMeter();
  ~TextMeter();
  TextMeter(const TextMeter&) = delete;
  TextMeter& operator=(const TextMeter&) = delete;
  void Add(const std::string& text) {
    if (budget_ != nullptr && text.size() >= sizeof(std::string) / 2) Take(text.size());
  }

 private:
  void Take(std::size_t bytes);
  std::shared_ptr<MemoryBudget> budget_;
  std::atomic<std::int64_t> taken_ = 0;
};

/// kResourceExhausted (`Run.MemoryLimit`): `what` of `bytes` is more than there may be.
Error MemoryLimitError(const MemoryBudget& budget, std::int64_t bytes, const std::string& what);

/// kResourceExhausted (`Tensor.TooLarge`): a tensor holds more text than one may.
Error TextLimitError(const MemoryBudget& budget);

/// What an operator ends with when it cannot have the memory that it works in: over the session's
/// limit, or of the machine.
Error NoMemory();

/// Bytes this process may use: of the machine, cut by its control group.
std::int64_t UsableMemoryBytes();

/// Memory of a vector that counts as the session's; std::bad_alloc where it may not have it,
/// which ends the operator with an error.
template <class T>
class CountedAllocator {
 public:
  using value_type = T;
  CountedAllocator() {
    if (Bounds* bounds = CurrentBounds()) budget_ = bounds->memory();
  }
  template <class U>
  CountedAllocator(const CountedAllocator<U>& other) : budget_(other.budget()) {}

  T* allocate(std::size_t count) {
    if (count > SIZE_MAX / 2 / sizeof(T)) throw std::bad_array_new_length();
    const auto bytes = static_cast<std::int64_t>(count * sizeof(T));
    if (budget_ != nullptr && !budget_->Take(bytes)) {
      if (Bounds* bounds = CurrentBounds()) bounds->RefuseMemory(bytes);
      throw std::bad_alloc();
    }
    try {
      return std::allocator<T>().allocate(count);
    } catch (const std::bad_alloc&) {
      if (budget_ != nullptr) budget_->Give(bytes);
      throw;
    }
  }
  void deallocate(T* memory, std::size_t count) {
    std::allocator<T>().deallocate(memory, count);
    if (budget_ != nullptr) budget_->Give(static_cast<std::int64_t>(count * sizeof(T)));
  }
  const std::shared_ptr<MemoryBudget>& budget() const { return budget_; }
  bool operator==(const CountedAllocator& other) const { return budget_ == other.budget_; }

 private:
  std::shared_ptr<MemoryBudget> budget_;
};

/// A vector that grows with a model's inputs.
template <class T>
using CountedVector = std::vector<T, CountedAllocator<T>>;

}  // namespace slipway::runtime
