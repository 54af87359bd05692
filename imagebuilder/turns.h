// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/result.h"

namespace slipway::imagebuilder {

/// Lets one caller at a time work on a key, so that work which others can share is done once.
/// Thread-safe.
class Turns {
 public:
  /// Holds the key until the object goes. Move-only; the Turns must outlive it.
  class Turn {
   public:
    Turn(Turn&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)), key_(std::move(other.key_)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class Turns;
    Turn(Turns& turns, std::string key) : turns_(&turns), key_(std::move(key)) {}
    Turns* turns_;
    std::string key_;
  };

  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  /// Waits while somebody else holds the key. kUnavailable (id `Image.Cancelled`) once `cancelled`,
  /// which may be empty, says so.
  Result<Turn> Take(const std::string& key, const std::function<bool()>& cancelled);
  /// Nothing while somebody else holds the key.
  std::optional<Turn> TryTake(const std::string& key);

 private:
  std::mutex mutex_;  // guards held_
  std::condition_variable freed_;
  std::set<std::string, std::less<>> held_;
};

}  // namespace slipway::imagebuilder
