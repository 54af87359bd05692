// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/kernels/conv_simd.h"

/// The inner loops of convolutions of 3x3 and 5x5 by Winograd's way, in float32 on blocks of
/// channels: tiles of 6x6 numbers of the input are turned so that products of turned numbers, each
/// with its weight, are what turns back to a tile of output. Thread-safe; they allocate nothing.
/// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015.
namespace slipway::runtime {

/// Rows and columns of a tile of input.
inline constexpr std::int64_t kTile = 6;
inline constexpr std::int64_t kTileNumbers = kTile * kTile;
/// Rows and columns of the tile of output that comes of it.
constexpr std::int64_t TileStep(std::int64_t kernel) { return kTile - kernel + 1; }

/// The points of interpolation are 0, these, their negatives, and infinity: rounding errors are
/// small with them, and their powers are exact.
inline constexpr float kNearPoint = 0.625F, kFarPoint = 1.5F;
/// Blocks of output whose products stay near until they are turned back.
inline constexpr std::int64_t kBlocksAtOnce = 4;

/// A turned window of `kernel` x `kernel` weights: number i of tile row i / 6, column i % 6.
void TurnWeights(const float* w, std::int64_t kernel, float (&turned)[kTileNumbers]);

/// Rows of tiles of one image.
struct WinogradBand {
  std::int64_t kernel = 0;            ///< 3 or 5
  std::int64_t down = 0, across = 0;  ///< tiles
  const float* x = nullptr;           ///< [in_blocks, rows, columns, in_block] that they cover
  std::int64_t in_block = 0;          ///< 8 or `block`
  std::int64_t in_blocks = 0;
  std::int64_t channels = 0;                 ///< of input, without what fills a block
  const float* w = nullptr;                  ///< turned: [out_blocks, 36, channels, block]
  const float* bias = nullptr;               ///< [out_blocks, block]; null: 0
  const float* z = nullptr;                  ///< added, as y lies; may be y; null: 0
  float* y = nullptr;                        ///< the first row of the band, of the first block
  std::int64_t block = 0;                    ///< 8 or 16
  std::int64_t out_blocks = 0, y_plane = 0;  ///< y_plane: numbers of a block
  std::int64_t rows = 0, width = 0;          ///< of the output that the band has
  ConvBounds bounds = {};
};
/// Numbers of working memory that a band takes.
std::int64_t WinogradRoom(const WinogradBand& band);
void RunWinograd(const WinogradBand& band, float* room);

}  // namespace slipway::runtime
