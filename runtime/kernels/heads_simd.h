// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

/// Attention of some queries to some keys in float32, with the widest vectors this machine has.
/// Source: https://arxiv.org/abs/2205.14135. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Rows of values, and of what is summed of them, are multiples of this wide.
inline constexpr std::int64_t kHeadsPad = 16;
/// So many packed keys lie together, number by number.
inline constexpr std::int64_t kKeyPanel = 64;
/// Most keys at hand.
inline constexpr std::int64_t kKeyBlock = 2 * kKeyPanel;

/// What one query has seen so far, and what of the keys at hand it sees.
struct QueryState {
  float largest = 0;                          ///< score; minus infinity: it has seen none
  float sum = 0;                              ///< of exp(score - largest)
  std::int64_t begin = 0, end = 0;            ///< keys at hand that it sees
  const float* bias[2] = {nullptr, nullptr};  ///< for each key at hand; minus infinity hides it
  bool odd = false;  ///< a score is infinite or no number: the sums are worth nothing
};

struct HeadsBlock {
  const float* queries = nullptr;  ///< scaled; rows of `head` numbers
  std::int64_t head = 0;
  const float* keys = nullptr;
  std::int64_t key_stride = 0;  ///< 0: in panels, as PackKeys makes them
  std::int64_t count = 0;       ///< keys at hand
  const float* values = nullptr;
  std::int64_t value_stride = 0;
  std::int64_t width = 0;   ///< of a row of values
  float softcap = 0;        ///< 0: none
  bool literal = false;     ///< minus infinity is added to scores as any number
  bool fills = false;       ///< bias[1] takes the place of scores where it is not 0
  float* scores = nullptr;  ///< room: a row of kKeyBlock for each query
  float* sums = nullptr;    ///< rows of `width`: exp(score - largest) times the values
};
/// Adds the keys at hand to what the queries have seen.
void AttendToBlock(const HeadsBlock& block, std::span<QueryState> queries);

/// `count` keys, at most kKeyBlock, in panels; each as large as if it were full.
void PackKeys(const float* keys, std::int64_t key_stride, std::int64_t count, std::int64_t head,
              float* packed);

/// y = sums / sum; whether all are finite.
bool FinishQuery(const float* sums, float sum, std::int64_t count, float* y);

}  // namespace slipway::runtime
