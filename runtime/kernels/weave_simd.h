// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// Lines made one of their elements in turn, and the reverse: pictures between planes and pixels.
/// Elements are any of 1, 2, 4 or 8 bytes, steps and counts are of elements, and both sides do not
/// overlap. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Lines that are woven together at once.
inline constexpr std::int64_t kFewestLines = 2, kMostLines = 4;

inline bool CanWeave(std::int64_t lines, std::size_t bytes) {
  return lines >= kFewestLines && lines <= kMostLines && bytes <= 8;
}

/// to[i * lines + k] = from[k * step + i], for i below `count`.
void WeaveLines(const void* from, std::int64_t step, std::int64_t lines, std::int64_t count,
                std::size_t bytes, void* to);
/// to[k * step + i] = from[i * lines + k]
void UnweaveLines(const void* from, std::int64_t lines, std::int64_t count, std::size_t bytes,
                  void* to, std::int64_t step);

}  // namespace slipway::runtime
