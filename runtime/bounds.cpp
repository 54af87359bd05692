// SPDX-License-Identifier: Apache-2.0
#include "runtime/bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/work.h"

namespace slipway::runtime {
namespace {

/// Done in some tens of milliseconds by a core or two, and large enough that dividing work into
/// such parts costs nothing worth naming.
constexpr double kWorkAtOnce = 4e9;

/// The calling thread's bounds. Set for the time of a call only.
Bounds*& Current() {
  thread_local Bounds* current = nullptr;
  return current;
}

}  // namespace

bool MemoryBudget::Take(std::int64_t bytes) {
  const std::int64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (bytes <= limits_.memory_bytes && before <= limits_.memory_bytes - bytes) return true;
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool Bounds::MustStop() const {
  if (limits_.cancelled != nullptr && limits_.cancelled->load(std::memory_order_relaxed)) {
    cancelled_.store(true, std::memory_order_relaxed);
  }
  if (cancelled_.load(std::memory_order_relaxed)) return true;
  return limits_.deadline && std::chrono::steady_clock::now() > *limits_.deadline;
}

Result<void> Bounds::MayGoOn() const {
  if (!MustStop()) return {};
  if (cancelled_.load(std::memory_order_relaxed)) {
    return Error{
        .code = Code::kUnavailable, .message = "the run was cancelled", .id = "Run.Cancelled"};
  }
  return Error{.code = Code::kDeadlineExceeded,
               .message = "the run took longer than it may",
               .id = "Run.DeadlineExceeded"};
}

Result<void> Bounds::CountTrip() {
  const std::int64_t most = memory_ == nullptr ? 0 : memory_->limits().loop_trips;
  if (most == 0 || trips_.fetch_add(1, std::memory_order_relaxed) < most) return {};
  return Error{.code = Code::kResourceExhausted,
               .message = fmt::format("the graphs inside nodes ran {} times, which is all they may "
                                      "in one run",
                                      most),
               .id = "Run.TooManyTrips",
               .fix = "raise the session's limit of loop trips"};
}

Bounds* CurrentBounds() { return Current(); }

BoundsScope::BoundsScope(Bounds* bounds) : before_(Current()) { Current() = bounds; }

BoundsScope::~BoundsScope() { Current() = before_; }

bool MustStop() {
  const Bounds* bounds = Current();
  return bounds != nullptr && bounds->MustStop();
}

Result<void> MayGoOn() {
  const Bounds* bounds = Current();
  if (bounds == nullptr) return {};
  return bounds->MayGoOn();
}

TextMeter::TextMeter() {
  if (const Bounds* bounds = Current()) budget_ = bounds->memory();
}

TextMeter::~TextMeter() {
  if (budget_ != nullptr) budget_->Give(taken_.load(std::memory_order_relaxed));
}

void TextMeter::Take(std::size_t bytes) {
  const auto more = static_cast<std::int64_t>(bytes);
  const std::int64_t all = taken_.load(std::memory_order_relaxed) + more;
  if (all <= budget_->limits().string_bytes && budget_->Take(more)) {
    taken_.fetch_add(more, std::memory_order_relaxed);
    return;
  }
  if (Bounds* bounds = Current()) bounds->RefuseText(all);
  throw std::bad_alloc();
}

std::int64_t StepsOf(std::int64_t count, double work) {
  return StepsWithin(count, work, kWorkAtOnce);
}

Error MemoryLimitError(const MemoryBudget& budget, std::int64_t bytes, const std::string& what) {
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("no room for {} of {} bytes: {} of {} bytes are in use", what,
                                 bytes, budget.used(), budget.limits().memory_bytes),
          .id = "Run.MemoryLimit",
          .fix = "raise the memory limit, or feed smaller inputs"};
}

Error TextLimitError(const MemoryBudget& budget) {
  return {
      .code = Code::kResourceExhausted,
      .message = fmt::format("a tensor of strings holds more than the {} bytes of text that one "
                             "may",
                             budget.limits().string_bytes),
      .id = "Tensor.TooLarge",
      .fix = "raise the limit of a tensor's text, or feed smaller inputs"};
}

Error NoMemory() {
  if (Bounds* bounds = Current()) {
    const auto [bytes, text] = bounds->TakeRefusal();
    if (text > bounds->memory()->limits().string_bytes) return TextLimitError(*bounds->memory());
    if (bytes > 0 || text > 0) {
      return MemoryLimitError(*bounds->memory(), std::max(bytes, text),
                              text > 0 ? "text" : "working memory");
    }
  }
  return {.code = Code::kResourceExhausted,
          .message = "no memory for what the operator keeps while it runs",
          .id = "Tensor.NoMemory"};
}

}  // namespace slipway::runtime
