// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>

#include "runtime/bounds.h"
#include "runtime/device/cpu.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/conv_pieces.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/turn_simd.h"
#include "runtime/kernels/winograd_cut.h"
#include "runtime/kernels/winograd_simd.h"

namespace slipway::runtime {
namespace {

/// The weights [M, C, k, k] turned: [groups, M / groups in blocks, 36, C, block], 0 beyond M.
Result<Tensor> Turned(const Tensor& weights, std::int64_t groups, std::int64_t block) {
  const std::int64_t channels = weights.dim(1), kernel = weights.dim(2);
  const std::int64_t each = weights.dim(0) / groups;
  const std::int64_t blocks = CountBlocks(each, block);
  Tensor turned =
      TRY(Tensor::Make(DType::kFloat32, {groups * blocks, kTileNumbers, channels, block}));
  std::ranges::fill(turned.data<float>(), 0.0F);
  const float* from = weights.data<float>().data();
  float numbers[kTileNumbers];
  for (std::int64_t m = 0; m < weights.dim(0); ++m) {
    const std::int64_t place = m / each * blocks * block + m % each;
    float* const to = turned.data<float>().data() +
                      place / block * kTileNumbers * channels * block + place % block;
    for (std::int64_t c = 0; c < channels; ++c, from += kernel * kernel) {
      TurnWeights(from, kernel, numbers);
      for (std::int64_t i = 0; i < kTileNumbers; ++i) to[(i * channels + c) * block] = numbers[i];
    }
  }
  return turned;
}

std::uint32_t* Words(float* numbers) { return reinterpret_cast<std::uint32_t*>(numbers); }
const std::uint32_t* Words(const float* numbers) {
  return reinterpret_cast<const std::uint32_t*>(numbers);
}

class WinogradExecutable final : public ConvPieces, public HoldsWeights {
 public:
  WinogradExecutable(const NodeFacts& node, const ConvShape& shape, const ConvFinish& finish,
                     const WinogradBlocks& blocks, const WinogradCut& cut, int threads,
                     Tensor turned)
      : ConvPieces(PartsOf(shape, cut), std::clamp<std::int64_t>(PartsOf(shape, cut), 1, threads),
                   WinogradPlaces(BandOf(shape, blocks, cut), cut, blocks.plain_y).size, finish),
        shape_(shape),
        blocks_(blocks),
        cut_(cut),
        band_(BandOf(shape, blocks, cut)),
        room_(band_, cut, blocks.plain_y),
        turned_(std::move(turned)),
        has_bias_(node.Has(2)),
        has_sum_(node.Has(3)) {}

  bool holds_weights() const override { return true; }

 private:
  /// One of the parts.
  struct Part {
    std::int64_t image = 0, group = 0;
    std::int64_t first_tile = 0, last_tile = 0;    ///< rows of tiles
    std::int64_t first_block = 0, last_block = 0;  ///< of the group's output
  };

  Part PartAt(std::int64_t i) const {
    const std::int64_t slice = i % cut_.slices, band = i / cut_.slices % cut_.bands;
    const std::int64_t plane = i / cut_.slices / cut_.bands;
    const std::int64_t blocks = CountBlocks(out_channels(), blocks_.out);
    return {.image = plane / shape_.groups,
            .group = plane % shape_.groups,
            .first_tile = cut_.down * band / cut_.bands,
            .last_tile = cut_.down * (band + 1) / cut_.bands,
            .first_block = blocks * slice / cut_.slices,
            .last_block = blocks * (slice + 1) / cut_.slices};
  }

  /// Of a group.
  std::int64_t out_channels() const { return shape_.out_channels / shape_.groups; }

  void RunParts(KernelContext& context, std::int64_t first, std::int64_t last,
                float* room) const override {
    for (std::int64_t i = first; i < last; ++i) {
      if (MustStop()) return;
      const Part part = PartAt(i);
      WinogradBand band = band_;
      band.down = part.last_tile - part.first_tile;
      band.rows = std::min(part.last_tile * cut_.step, shape_.window.output[0]) -
                  part.first_tile * cut_.step;
      band.out_blocks = part.last_block - part.first_block;
      band.bounds = bounds();
      const std::int64_t block =
          part.group * CountBlocks(out_channels(), band.block) + part.first_block;
      band.w = turned_.data<float>().data() + block * kTileNumbers * band.channels * band.block;
      band.bias = BiasOf(context, part, room + room_.bias);
      band.x = room + room_.covered;
      Cover(context, part, band, room + room_.covered);
      if (blocks_.plain_y) {
        RunPlain(context, part, band, room);
      } else {
        RunOnBlocks(context, part, band, room);
      }
    }
  }

  void RunOnBlocks(KernelContext& context, const Part& part, WinogradBand& band,
                   float* room) const {
    const std::int64_t blocks = CountBlocks(shape_.out_channels, band.block);
    const std::int64_t block = part.image * blocks +
                               part.group * CountBlocks(out_channels(), band.block) +
                               part.first_block;
    band.y_plane = shape_.window.output_size() * band.block;
    const std::int64_t at =
        block * band.y_plane + part.first_tile * cut_.step * band.width * band.block;
    band.z = has_sum_ ? context.input(3)->data<float>().data() + at : nullptr;
    band.y = context.output(0).data<float>().data() + at;
    RunWinograd(band, room);
  }

  /// On blocks beside, which are turned to rows.
  void RunPlain(KernelContext& context, const Part& part, WinogradBand& band, float* room) const {
    const std::int64_t plane = shape_.window.output_size();
    const std::int64_t positions = band.rows * band.width;
    const std::int64_t first = part.first_block * band.block;
    const std::int64_t count = std::min(out_channels(), part.last_block * band.block) - first;
    const std::int64_t at =
        (part.image * shape_.out_channels + part.group * out_channels() + first) * plane +
        part.first_tile * cut_.step * band.width;
    band.y = room + room_.blocks;
    band.y_plane = positions * band.block;
    const auto each = [&](const auto& turn) {
      for (std::int64_t c = 0; c < count; c += band.block) {
        turn(c * plane, c * positions, std::min(band.block, count - c));
      }
    };
    if (has_sum_) {
      const float* const z = context.input(3)->data<float>().data() + at;
      each([&](std::int64_t plain, std::int64_t blocked, std::int64_t channels) {
        TurnWords(Words(z + plain), plane, Words(band.y + blocked), band.block, positions,
                  channels);
      });
      band.z = band.y;
    }
    RunWinograd(band, room);
    float* const y = context.output(0).data<float>().data() + at;
    each([&](std::int64_t plain, std::int64_t blocked, std::int64_t channels) {
      TurnWords(Words(band.y + blocked), band.block, Words(y + plain), plane, channels, positions);
    });
  }

  /// In whole blocks; null where there is none.
  const float* BiasOf(KernelContext& context, const Part& part, float* room) const {
    if (!has_bias_) return nullptr;
    const std::int64_t first = part.first_block * blocks_.out;
    const std::int64_t last = std::min(out_channels(), part.last_block * blocks_.out);
    const float* const bias = context.input(2)->data<float>().data() + part.group * out_channels();
    std::fill_n(room, (part.last_block - part.first_block) * blocks_.out, 0.0F);
    std::copy(bias + first, bias + last, room);
    return room;
  }

  /// What a band's tiles cover of its group's channels, in blocks.
  void Cover(KernelContext& context, const Part& part, const WinogradBand& band, float* to) const {
    const Window& window = shape_.window;
    const std::int64_t channels = blocks_.plain_x ? band.channels : band.in_blocks * band.in_block;
    const float* const x =
        context.input(0)->data<float>().data() +
        (part.image * shape_.groups + part.group) * channels * window.input_size();
    const std::int64_t line = part.first_tile * cut_.step - window.pads_begin[0];
    const std::int64_t rows = cut_.Covered(band.down);
    const std::int64_t columns = cut_.Covered(band.across);
    for (std::int64_t b = 0; b < band.in_blocks; ++b) {
      for (std::int64_t i = line; i < line + rows; ++i, to += columns * band.in_block) {
        CoverRow(x + b * band.in_block * window.input_size(), b, i, to);
      }
    }
  }

  /// Row `i` of block `b`, which begins at `plane`.
  void CoverRow(const float* plane, std::int64_t b, std::int64_t i, float* to) const {
    const Window& window = shape_.window;
    const std::int64_t each = blocks_.in, columns = cut_.Covered(cut_.across);
    const std::int64_t left = std::min(window.pads_begin[1], columns);
    const std::int64_t width = std::min(window.input[1], columns - left);
    if (i < 0 || i >= window.input[0]) {
      std::fill_n(to, columns * each, 0.0F);
      return;
    }
    std::fill_n(to, left * each, 0.0F);
    std::fill_n(to + (left + width) * each, (columns - left - width) * each, 0.0F);
    to += left * each;
    if (!blocks_.plain_x) {
      std::copy_n(plane + i * window.input[1] * each, width * each, to);
      return;
    }
    const std::int64_t count = std::min(each, band_.channels - b * each);
    if (count < each) std::fill_n(to, width * each, 0.0F);
    TurnWords(Words(plane + i * window.input[1]), window.input_size(), Words(to), each, width,
              count);
  }

  ConvShape shape_;
  WinogradBlocks blocks_;
  WinogradCut cut_;
  WinogradBand band_;
  WinogradPlaces room_;
  Tensor turned_;
  bool has_bias_, has_sum_;
};

std::string WhyNot(const NodeFacts& node, const WinogradBlocks& blocks) {
  if (node.inputs[1].constant == nullptr) return "the weights are not known";
  return WinogradShapeOf(node, blocks) ? "" : "no convolution of 3x3 or 5x5 in small steps";
}

std::string DeclineUnlessChosen(const NodeFacts& node) {
  const bool asked = node.attributes.String("algorithm", "") == "winograd";
  return asked ? "" : "sums are quicker, or they are asked for";
}

std::string DeclineUnlessAllowed(const NodeFacts& node) {
  const bool allowed = node.attributes.String("algorithm", "") == "any";
  return allowed ? "" : "it is not allowed, or asked for already";
}

Result<std::unique_ptr<Executable>> PrepareOn(const NodeFacts& node, const WinogradBlocks& blocks,
                                              DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  const Tensor& weights = *node.inputs[1].constant;
  const std::string layout =
      "winograd" + std::to_string(blocks.out) + "/" + std::to_string(shape.groups);
  Tensor turned = TRY(Cpu(device).Packed(
      weights, layout, [&] { return Turned(weights, shape.groups, blocks.out); }));
  const double work = WinogradWork(shape, blocks);
  const int threads = ThreadsFor(work, device.threads());
  return std::unique_ptr<Executable>(new WinogradExecutable(
      node, shape, finish, blocks, CutOf(shape, blocks, threads), threads, std::move(turned)));
}

}  // namespace

bool HasWinograd(const NodeFacts& node) {
  return WinogradShapeOf(node, PlainWinogradBlocks(node.shape(0)[1])).has_value();
}

std::optional<WinogradGain> GainOfWinograd(const NodeFacts& node) {
  const WinogradBlocks blocks = PlainWinogradBlocks(node.shape(0)[1]);
  const auto shape = WinogradShapeOf(node, blocks);
  return shape ? GainOf(*shape, blocks) : std::nullopt;
}

std::string DeclineConvWinograd(const NodeFacts& node) {
  std::string why = DeclineUnlessChosen(node);
  return why.empty() ? WhyNot(node, PlainWinogradBlocks(node.shape(0)[1])) : why;
}

std::string DeclineConvMeasuredWinograd(const NodeFacts& node) {
  std::string why = DeclineUnlessAllowed(node);
  return why.empty() ? WhyNot(node, PlainWinogradBlocks(node.shape(0)[1])) : why;
}

Result<std::unique_ptr<Executable>> PrepareConvWinograd(const NodeFacts& node,
                                                        DeviceContext& device) {
  return PrepareOn(node, PlainWinogradBlocks(node.shape(0)[1]), device);
}

std::string DeclineBlockedWinograd(const NodeFacts& node) {
  std::string why = DeclineUnlessChosen(node);
  return why.empty() ? WhyNot(PlainConvFacts(node), WinogradBlocksOf(node)) : why;
}

std::string DeclineBlockedMeasuredWinograd(const NodeFacts& node) {
  std::string why = DeclineUnlessAllowed(node);
  return why.empty() ? WhyNot(PlainConvFacts(node), WinogradBlocksOf(node)) : why;
}

Result<std::unique_ptr<Executable>> PrepareBlockedWinograd(const NodeFacts& node,
                                                           DeviceContext& device) {
  return PrepareOn(PlainConvFacts(node), WinogradBlocksOf(node), device);
}

}  // namespace slipway::runtime
