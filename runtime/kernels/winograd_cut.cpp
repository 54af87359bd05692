// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/winograd_cut.h"

#include <algorithm>

#include "runtime/kernels/blocked.h"

namespace slipway::runtime {
namespace {

/// Tiles that weights are read for at once: few enough that turned numbers stay near.
constexpr std::int64_t kTilesAtOnce = 49;
/// Of a band: it is not left before it is done.
constexpr std::int64_t kMostRoom = 4 << 20;
constexpr double kMostWork = 1 << 30;

std::int64_t RoomOf(const ConvShape& shape, const WinogradBlocks& blocks, const WinogradCut& cut) {
  return WinogradPlaces(BandOf(shape, blocks, cut), cut, blocks.plain_y).size;
}

/// Products of one image, with what turning costs beside them.
double CostOf(const ConvShape& shape, const WinogradCut& cut, std::int64_t block) {
  // What turning a number costs, in products; tiles for which weights come from memory in time.
  constexpr double kTurning = 7, kTilesAWeight = 8;
  constexpr double kNear = 128 << 10;
  const std::int64_t channels = shape.in_channels / shape.groups;
  const std::int64_t blocks = CountBlocks(shape.out_channels / shape.groups, block);
  const auto in = static_cast<double>(channels), out = static_cast<double>(blocks * block);
  const double tiles = static_cast<double>(cut.down * cut.across);
  const double weights = kTileNumbers * in * out;
  const double uses = weights > kNear ? std::max(tiles, kTilesAWeight) : tiles;
  return weights * uses + kTileNumbers * tiles * kTurning * (in + out);
}

}  // namespace

WinogradBlocks PlainWinogradBlocks(std::int64_t channels) {
  constexpr std::int64_t kHalf = 8;
  const std::int64_t block = ChannelBlock() == 2 * kHalf ? 2 * kHalf : kHalf;
  return {.in = channels <= kHalf ? kHalf : block, .out = block, .plain_x = true, .plain_y = true};
}

WinogradBlocks WinogradBlocksOf(const NodeFacts& on_blocks) {
  const Shape& x = on_blocks.shape(0);
  const std::int64_t block = on_blocks.outputs[0].shape->back();
  if (x.size() == 5) return {.in = block, .out = block};
  return {.in = PlainWinogradBlocks(x[1]).in, .out = block, .plain_x = true};
}

WinogradCut CutOf(const ConvShape& shape, const WinogradBlocks& blocks, int threads) {
  const Window& window = shape.window;
  WinogradCut cut{.kernel = window.kernel[0], .step = TileStep(window.kernel[0])};
  const auto tiles = [&](std::size_t d) { return (window.output[d] + cut.step - 1) / cut.step; };
  cut.down = tiles(0);
  cut.across = tiles(1);
  const std::int64_t most = std::max<std::int64_t>(1, kTilesAtOnce / cut.across);
  cut.bands = (cut.down + most - 1) / most;
  const std::int64_t out_blocks = CountBlocks(shape.out_channels / shape.groups, blocks.out);
  const std::int64_t parts = shape.batch * shape.groups * cut.bands;
  if (parts < threads) {
    const std::int64_t pairs = (out_blocks + 1) / 2;
    cut.slices = std::min((threads + parts - 1) / parts, pairs);
  } else if (parts % threads != 0) {
    cut.bands = std::min((cut.bands + threads - 1) / threads * threads, cut.down);
  }
  cut.band_tiles = (cut.down + cut.bands - 1) / cut.bands;
  cut.slice_blocks = (out_blocks + cut.slices - 1) / cut.slices;
  return cut;
}

std::int64_t PartsOf(const ConvShape& shape, const WinogradCut& cut) {
  return shape.batch * shape.groups * cut.bands * cut.slices;
}

WinogradBand BandOf(const ConvShape& shape, const WinogradBlocks& blocks, const WinogradCut& cut) {
  const std::int64_t channels = shape.in_channels / shape.groups;
  return {.kernel = cut.kernel,
          .down = cut.band_tiles,
          .across = cut.across,
          .in_block = blocks.in,
          .in_blocks = CountBlocks(channels, blocks.in),
          .channels = channels,
          .block = blocks.out,
          .out_blocks = cut.slice_blocks,
          .rows = cut.band_tiles * cut.step,
          .width = shape.window.output[1]};
}

std::optional<ConvShape> WinogradShapeOf(const NodeFacts& node, const WinogradBlocks& blocks) {
  auto shape = ConvShapeOf(node);
  if (!shape || !ConvActivationOf(node) || !DeclineConvDnnl(node).empty()) return std::nullopt;
  const Window& window = shape->window;
  const Shape ones(2, 1);
  const bool squares = window.kernel == Shape{3, 3} || window.kernel == Shape{5, 5};
  if (!squares || window.strides != ones || window.dilations != ones) return std::nullopt;
  if (shape->batch < 1 || std::ranges::min(window.output) < 1) return std::nullopt;
  const std::int64_t in = shape->in_channels / shape->groups;
  const std::int64_t out = shape->out_channels / shape->groups;
  if (in < 1 || out < 1) return std::nullopt;
  const bool whole =
      (blocks.plain_x || in % blocks.in == 0) && (blocks.plain_y || out % blocks.out == 0);
  if (shape->groups > 1 && !whole) return std::nullopt;
  const WinogradCut cut = CutOf(*shape, blocks, 1);
  const double numbers = static_cast<double>(cut.band_tiles * cut.across * kTileNumbers);
  const double channels = static_cast<double>(in) + static_cast<double>(out);
  const bool small = numbers * channels <= static_cast<double>(kMostRoom) &&
                     2 * numbers * static_cast<double>(in) * static_cast<double>(out) <= kMostWork;
  if (!small || RoomOf(*shape, blocks, cut) > kMostRoom) return std::nullopt;
  return *std::move(shape);
}

double WinogradWork(const ConvShape& shape, const WinogradBlocks& blocks) {
  return 2 * CostOf(shape, CutOf(shape, blocks, 1), blocks.out) *
         static_cast<double>(shape.batch * shape.groups);
}

std::optional<WinogradGain> GainOf(const ConvShape& shape, const WinogradBlocks& blocks) {
  constexpr double kLeastGain = 1.15;
  const std::int64_t in = shape.in_channels / shape.groups;
  const std::int64_t out = shape.out_channels / shape.groups;
  const std::int64_t taps = shape.window.kernel_size();
  const double sums =
      static_cast<double>(shape.window.output_size() * taps) * static_cast<double>(in * out);
  const double cost = CostOf(shape, CutOf(shape, blocks, 1), blocks.out);
  if (kLeastGain * cost >= sums) return std::nullopt;
  const std::int64_t turned = kTileNumbers * CountBlocks(out, blocks.out) * blocks.out;
  const std::int64_t weights = (turned - taps * out) * shape.in_channels;
  return WinogradGain{.products = (sums - cost) * static_cast<double>(shape.batch * shape.groups),
                      .weights = static_cast<double>(weights)};
}

}  // namespace slipway::runtime
