// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/op.h"

/// Images from rows to blocks of channels and back.
namespace slipway::runtime {

/// How images [N, C, ...] of 4-byte numbers lie in both layouts. Steps count numbers.
struct BlockTurn {
  std::int64_t items = 0, channels = 0, positions = 0;
  std::int64_t block = 0;  ///< channels of a block; all of them for channels last
  std::int64_t plain_item = 0, plain_channel = 0;    ///< steps, row by row
  std::int64_t blocked_item = 0, blocked_block = 0;  ///< steps, block by block

  /// Of images `plain`, rank 2 or more, that lie without gaps.
  static BlockTurn Of(const Shape& plain, std::int64_t block);
};

/// Fills blocks; channels beyond the last are zero. Both use the context's threads, and return
/// early where the run is to end.
void IntoBlocks(const BlockTurn& turn, const float* plain, float* blocked, KernelContext& context);
void OutOfBlocks(const BlockTurn& turn, const float* blocked, float* plain, KernelContext& context);

}  // namespace slipway::runtime
