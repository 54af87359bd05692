// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace slipway::runtime {

/// Rows of `count` bytes side by side: to[i * 4 + r] = rows[r][i] ^ flip, with the widest vectors
/// this machine has. Thread-safe; allocates nothing.
void InterleaveBytes(const std::array<const std::uint8_t*, 4>& rows, std::int64_t count,
                     std::uint8_t flip, std::uint8_t* to);

/// Rows of quads of bytes, `step` bytes from one to the next.
struct QuadRows {
  const std::uint8_t* from;
  std::int64_t from_step;
  std::uint8_t* to;
  std::int64_t to_step;
  std::int64_t rows, count;  ///< of each row
  std::int64_t stride;       ///< in quads, where they are read
};
/// Copies them. Of `from` kBehindQuads bytes behind the last may be read.
inline constexpr std::int64_t kBehindQuads = 256;
void CopyQuads(const QuadRows& rows);

}  // namespace slipway::runtime
