// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "runtime/bounds.h"

namespace slipway::runtime {

/// Zeros that a kernel works in, where at most `kFew` are wanted on the stack: allocating would
/// take longer than the work. More count as the session's; std::bad_alloc where it may not have
/// them.
template <class T, std::size_t kFew>
class SmallRoom {
 public:
  explicit SmallRoom(std::size_t count) {
    if (count > kFew) many_.emplace(count);
  }
  SmallRoom(const SmallRoom&) = delete;
  SmallRoom& operator=(const SmallRoom&) = delete;
  T* data() { return many_ ? many_->data() : few_.data(); }

 private:
  std::array<T, kFew> few_ = {};
  std::optional<CountedVector<T>> many_;
};

}  // namespace slipway::runtime
