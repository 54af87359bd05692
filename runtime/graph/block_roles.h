// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/graph/rewriter.h"

namespace slipway::runtime {

/// What becomes of a node that works on blocks of channels (kernels/blocked.h).
struct BlockRole {
  enum class Kind : std::uint8_t {
    kAsItIs,  ///< works element by element, on inputs of one more dimension
    kConv,
    kPool,
    kGlobalPool,
    kScale,          ///< Mul or Add with one number a channel, of all images or of each
    kNormalization,  ///< BatchNormalization with known parameters: a scale and a shift per channel
    kLrn,
    kConcat,
  };
  Kind kind = Kind::kAsItIs;
  std::vector<std::size_t> blocks = {};       ///< inputs to have in blocks
  std::vector<std::size_t> per_channel = {};  ///< constants, one number a channel
  /// Outside of blocks its kernel brings these inputs into a layout of its own, and back.
  bool changes_itself = false;
};

/// Nothing for a node that cannot work on blocks of `block` channels, or not well. Where its
/// channels do not fill the last block, what it makes beyond them must be harmless: finite, so that
/// weights of zero there make zeros of it.
std::optional<BlockRole> BlockRoleOf(Rewriter& graph, std::size_t node, std::int64_t block);

}  // namespace slipway::runtime
