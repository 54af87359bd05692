// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace slipway::http {

/// Bytes read from a connection and not taken yet. Not thread-safe.
class InputBuffer {
 public:
  std::string_view held() const { return {bytes_.data() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

  /// Room for at least `count` more bytes behind those held.
  std::span<char> Room(std::size_t count) {
    if (bytes_.size() - end_ < count) {
      std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_),
                bytes_.begin() + static_cast<std::ptrdiff_t>(end_), bytes_.begin());
      end_ -= begin_;
      begin_ = 0;
      if (bytes_.size() - end_ < count) bytes_.resize(end_ + count);
    }
    return std::span(bytes_).subspan(end_);
  }
  void Filled(std::size_t count) { end_ += count; }
  void Take(std::size_t count) {
    begin_ += count;
    if (empty()) begin_ = end_ = 0;
  }
  /// Gives memory back that a large body has needed.
  void Shrink(std::size_t size_max) {
    if (empty() && bytes_.size() > size_max) bytes_ = {};
  }

 private:
  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace slipway::http
