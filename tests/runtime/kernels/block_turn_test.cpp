// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/block_turn.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/op_context.h"

namespace slipway::runtime {
namespace {

constexpr float kUntouched = -1;

/// Calls `visit` with the places of every number, and of every padding channel with -1 as its
/// place in rows.
void ForNumbers(const BlockTurn& t, const std::function<void(std::int64_t, std::int64_t)>& visit) {
  const std::int64_t blocks = (t.channels + t.block - 1) / t.block;
  for (std::int64_t n = 0; n < t.items; ++n) {
    for (std::int64_t c = 0; c < blocks * t.block; ++c) {
      for (std::int64_t i = 0; i < t.positions; ++i) {
        const std::int64_t plain = c < t.channels ? n * t.plain_item + c * t.plain_channel + i : -1;
        visit(plain,
              n * t.blocked_item + c / t.block * t.blocked_block + i * t.block + c % t.block);
      }
    }
  }
}

std::vector<BlockTurn> Turns() {
  BlockTurn part = BlockTurn::Of({2, 21, 9, 40}, 16);  // rows of a taller image
  part.positions = 120;                                // three of them
  return {BlockTurn::Of({1, 16, 4, 4}, 16),     BlockTurn::Of({2, 37, 7, 9}, 16),
          BlockTurn::Of({1, 3, 1, 1}, 8),       BlockTurn::Of({3, 24, 30, 30}, 8),
          BlockTurn::Of({2, 5, 1000}, 5),       BlockTurn::Of({1, 300, 5, 7}, 300),
          BlockTurn::Of({1, 9000, 3, 1}, 9000), part};
}

TEST(BlockTurn, PutsEachNumberInItsPlaceAndNoneBeside) {
  for (const BlockTurn& turn : Turns()) {
    SCOPED_TRACE(std::to_string(turn.channels) + " channels in blocks of " +
                 std::to_string(turn.block));
    const std::int64_t blocks = (turn.channels + turn.block - 1) / turn.block;
    std::vector<float> plain(static_cast<std::size_t>(turn.items * turn.plain_item));
    std::iota(plain.begin(), plain.end(), 1.0F);
    std::vector<float> blocked(static_cast<std::size_t>(turn.items * turn.blocked_item),
                               kUntouched);
    ASSERT_LE(blocks * turn.blocked_block, turn.blocked_item);
    std::vector<float> expected = blocked;
    std::vector<float> back(plain.size(), kUntouched), expected_back = back;
    ForNumbers(turn, [&](std::int64_t at, std::int64_t in_blocks) {
      const float number = at < 0 ? 0 : plain[static_cast<std::size_t>(at)];
      expected[static_cast<std::size_t>(in_blocks)] = number;
      if (at >= 0) expected_back[static_cast<std::size_t>(at)] = number;
    });
    test::OpContext context({}, 3);
    IntoBlocks(turn, plain.data(), blocked.data(), context);
    EXPECT_EQ(blocked, expected);
    OutOfBlocks(turn, blocked.data(), back.data(), context);
    EXPECT_EQ(back, expected_back);
  }
}

}  // namespace
}  // namespace slipway::runtime
