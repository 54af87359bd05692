// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/turns.h"

#include <chrono>

#include "imagebuilder/errors.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

Turns::Turn::~Turn() {
  if (turns_ == nullptr) return;
  const std::lock_guard lock(turns_->mutex_);
  turns_->held_.erase(key_);
  turns_->freed_.notify_all();
}

Result<Turns::Turn> Turns::Take(const std::string& key, const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  while (held_.contains(key)) {
    if (cancelled && cancelled()) return Cancelled();
    freed_.wait_for(lock, kLookEvery);
  }
  held_.insert(key);
  return Turn(*this, key);
}

std::optional<Turns::Turn> Turns::TryTake(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (!held_.insert(key).second) return std::nullopt;
  return Turn(*this, key);
}

}  // namespace slipway::imagebuilder
