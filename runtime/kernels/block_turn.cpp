// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/block_turn.h"

#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/turn_simd.h"

namespace slipway::runtime {
namespace {

/// Numbers that are turned at once, so that both layouts of them stay near.
constexpr std::int64_t kPiece = 4 << 10;
/// Positions in a row that fill cache lines.
constexpr std::int64_t kLeastPositions = 16;
/// Numbers that are worth a thread's beginning.
constexpr std::int64_t kGrain = 16 << 10;

const std::uint32_t* Words(const float* numbers) {
  return reinterpret_cast<const std::uint32_t*>(numbers);
}
std::uint32_t* Words(float* numbers) { return reinterpret_cast<std::uint32_t*>(numbers); }

/// Some positions of one block of channels.
struct Piece {
  std::int64_t channels;  ///< that are not padding
  std::int64_t positions;
  std::int64_t plain, blocked;  ///< where the first number lies
};

/// Calls `body` for the pieces of all images, on threads.
template <typename Body>
void ForPieces(const BlockTurn& turn, KernelContext& context, const Body& body) {
  const std::int64_t blocks = (turn.channels + turn.block - 1) / turn.block;
  const std::int64_t positions = std::max(kLeastPositions, kPiece / turn.block);
  const std::int64_t parts = (turn.positions + positions - 1) / positions;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / (positions * turn.block));
  context.ParallelFor(
      turn.items * blocks * parts, grain, [&](std::int64_t begin, std::int64_t end) {
        Pause pause;
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t item = i / parts / blocks, b = i / parts % blocks;
          const std::int64_t first = i % parts * positions;
          const Piece piece = {
              .channels = std::min(turn.block, turn.channels - b * turn.block),
              .positions = std::min(positions, turn.positions - first),
              .plain = item * turn.plain_item + b * turn.block * turn.plain_channel + first,
              .blocked = item * turn.blocked_item + b * turn.blocked_block + first * turn.block};
          if (pause.MustStop(piece.positions * turn.block)) return;
          body(piece);
        }
      });
}

}  // namespace

BlockTurn BlockTurn::Of(const Shape& plain, std::int64_t block) {
  const std::int64_t positions = CountOf(plain, 2, plain.size());
  const std::int64_t blocks = (plain[1] + block - 1) / block;
  return {.items = plain[0],
          .channels = plain[1],
          .positions = positions,
          .block = block,
          .plain_item = plain[1] * positions,
          .plain_channel = positions,
          .blocked_item = blocks * positions * block,
          .blocked_block = positions * block};
}

void IntoBlocks(const BlockTurn& turn, const float* plain, float* blocked, KernelContext& context) {
  ForPieces(turn, context, [&](const Piece& p) {
    float* const to = blocked + p.blocked;
    TurnWords(Words(plain + p.plain), turn.plain_channel, Words(to), turn.block, p.positions,
              p.channels);
    if (p.channels == turn.block) return;
    for (std::int64_t i = 0; i < p.positions; ++i) {
      std::fill(to + i * turn.block + p.channels, to + (i + 1) * turn.block, 0.0F);
    }
  });
}

void OutOfBlocks(const BlockTurn& turn, const float* blocked, float* plain,
                 KernelContext& context) {
  ForPieces(turn, context, [&](const Piece& p) {
    TurnWords(Words(blocked + p.blocked), turn.block, Words(plain + p.plain), turn.plain_channel,
              p.channels, p.positions);
  });
}

}  // namespace slipway::runtime
