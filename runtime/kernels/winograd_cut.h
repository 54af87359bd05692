// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/winograd_simd.h"

/// How a convolution by Winograd's way is cut into parts, what room they take, and what it costs.
namespace slipway::runtime {

/// Channels in a block, and where images lie row by row.
struct WinogradBlocks {
  std::int64_t in = 0, out = 0;
  bool plain_x = false, plain_y = false;
};

/// Of images row by row.
WinogradBlocks PlainWinogradBlocks(std::int64_t channels);
/// Of a node on blocks, whose image may have too few channels for one.
WinogradBlocks WinogradBlocksOf(const NodeFacts& on_blocks);

constexpr std::int64_t CountBlocks(std::int64_t channels, std::int64_t block) {
  return (channels + block - 1) / block;
}

/// Images, groups, bands of rows of tiles, slices of the channels of output.
struct WinogradCut {
  std::int64_t kernel = 0, step = 0;
  std::int64_t down = 0, across = 0;  ///< tiles of an image
  std::int64_t bands = 1, slices = 1;
  std::int64_t band_tiles = 0, slice_blocks = 0;  ///< rows of tiles, and blocks, of the largest

  /// Of input that `tiles` tiles cover in one direction.
  std::int64_t Covered(std::int64_t tiles) const { return tiles * step + kernel - 1; }
};

WinogradCut CutOf(const ConvShape& shape, const WinogradBlocks& blocks, int threads);
/// Parts that do not depend on each other.
std::int64_t PartsOf(const ConvShape& shape, const WinogradCut& cut);
/// The largest band, without data.
WinogradBand BandOf(const ConvShape& shape, const WinogradBlocks& blocks, const WinogradCut& cut);

/// Where the numbers of a band lie, and how many there are: what it is turned to, its input, its
/// bias in whole blocks, and its output where that is to lie row by row.
struct WinogradPlaces {
  WinogradPlaces(const WinogradBand& band, const WinogradCut& cut, bool plain_y)
      : covered(WinogradRoom(band)),
        bias(covered +
             band.in_blocks * band.in_block * cut.Covered(band.down) * cut.Covered(band.across)),
        blocks(bias + band.out_blocks * band.block),
        size(blocks + (plain_y ? band.out_blocks * band.block * band.rows * band.width : 0)) {}
  std::int64_t covered, bias, blocks, size;
};

/// Nothing where that is no convolution of float32 that tiles serve, in steps that are soon done.
std::optional<ConvShape> WinogradShapeOf(const NodeFacts& node, const WinogradBlocks& blocks);
/// Operations on all images, with those that turning takes.
double WinogradWork(const ConvShape& shape, const WinogradBlocks& blocks);
/// What it spares; nothing where sums are as quick.
std::optional<WinogradGain> GainOf(const ConvShape& shape, const WinogradBlocks& blocks);

}  // namespace slipway::runtime
