// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "runtime/device/device.h"
#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/byte_quads_simd.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_patches.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 21;
/// Channels of which a thread takes some at least.
constexpr std::int64_t kLeastSlice = 48;

/// Channels whose weights stay near while more columns are multiplied with them.
constexpr std::int64_t kNearRows = 48;

/// Positions of a plane's output, one after another.
struct Columns {
  std::int64_t begin = 0, count = 0;
  bool few = false;  ///< computed one by one
};

/// Columns whose windows are laid at once, and the few behind them.
struct Block {
  Columns main = {}, behind = {};
};

/// What windows cover, as RunByteDot reads it: quads [quads, columns, 4], or [columns, quads, 4] of
/// few columns.
class WindowPanel {
 public:
  WindowPanel(const Columns& columns, std::int64_t quads, ByteNumbers& room)
      : few_(columns.few), count_(columns.count), quads_(quads) {
    const std::int64_t width = few_ ? count_ : PaddedColumns(count_);
    stride_ = few_ ? quads * 4 : width * 4;
    if (std::ssize(room) < quads * width * 4) room.resize(At(quads * width * 4));
    bytes_ = room.data();
    size_ = quads * width * 4;
  }

  void Fill(std::uint8_t byte) const { std::fill_n(bytes_, size_, byte); }
  std::uint8_t* At4(std::int64_t quad, std::int64_t column) const {
    return bytes_ + (few_ ? column * stride_ + quad * 4 : quad * stride_ + column * 4);
  }
  ByteDot dot() const {
    return {.a_stride = quads_ * 4,
            .a_signed = true,
            .b = bytes_,
            .b_stride = stride_,
            .few = few_,
            .quads = quads_,
            .columns = count_};
  }

 private:
  bool few_;
  std::int64_t count_, quads_, stride_ = 0, size_ = 0;
  std::uint8_t* bytes_ = nullptr;
};

/// Each image and group is a product: the group's weights times what windows cover. Four channels
/// lie side by side, so that windows are read in whole quads.
class ConvExecutable final : public Executable {
 public:
  ConvExecutable(const NodeFacts& node, const QuantizedPorts& ports, ConvShape shape, int threads)
      : node_(node),
        ports_(ports),
        stores_(node, ports),
        shape_(std::move(shape)),
        patches_(shape_),
        in_size_(shape_.window.input_size()),
        out_size_(shape_.window.output_size()),
        kernel_(shape_.window.kernel_size()),
        channels_(shape_.in_channels / shape_.groups),
        width_(shape_.out_channels / shape_.groups),
        quads_(QuadsOf(channels_) * kernel_),
        pointwise_(IsPointwise(shape_.window)) {
    PackWeights(*node.inputs[ports.b].constant);
    CutColumns();
    const std::int64_t most = (width_ + kLeastSlice - 1) / kLeastSlice;
    slices_ = std::clamp<std::int64_t>(threads / (Planes() * std::ssize(blocks_)), 1, most);
  }

  std::int64_t scratch_bytes() const override {
    return pointwise_ ? 0 : Planes() * PlaneBytes() + kBehindQuads;
  }

  Result<void> Run(KernelContext& context) const override {
    const std::int32_t zero = UnsignedZero(node_, ports_, context);
    const SumStore store = TRY(stores_.Of(context, [&] {
      std::vector<std::int64_t> added = BiasOf(node_, ports_, context, shape_.out_channels);
      for (std::size_t m = 0; m < added.size(); ++m) added[m] -= zero * sums_[m];
      return added;
    }));
    const std::uint8_t flip = ToUnsigned(node_.dtype(0));
    const Image image{.bytes = RawBytes(*context.input(0)),
                      .quads = reinterpret_cast<std::uint8_t*>(context.scratch().data()),
                      .flip = flip,
                      .zero = static_cast<std::uint8_t>(zero)};
    if (!pointwise_) LayInQuads(context, image);
    const std::int64_t work = quads_ * 4 * kByteDotPanel * (width_ / slices_ + 1);
    context.ParallelFor(
        Planes() * std::ssize(blocks_) * slices_, std::max<std::int64_t>(1, kGrainWork / work),
        [&](std::int64_t first, std::int64_t last) { RunParts(image, first, last, store); });
    return {};
  }

 private:
  /// The first operand, and its planes [images and groups, channels / 4, positions, 4].
  struct Image {
    const std::uint8_t* bytes;
    std::uint8_t* quads;
    std::uint8_t flip, zero;
  };

  std::int64_t Planes() const { return shape_.batch * shape_.groups; }
  std::int64_t PlaneBytes() const { return QuadsOf(channels_) * in_size_ * 4; }

  void PackWeights(const Tensor& w) {
    const std::uint8_t flip = ToSigned(w.dtype());
    const std::uint8_t* from = RawBytes(w);
    weights_.assign(At(shape_.out_channels * quads_ * 4), 0);
    sums_.assign(At(shape_.out_channels), 0);
    for (std::int64_t m = 0; m < shape_.out_channels; ++m) {
      std::uint8_t* const to = weights_.data() + m * quads_ * 4;
      for (std::int64_t c = 0; c < channels_; ++c) {
        for (std::int64_t position = 0; position < kernel_; ++position) {
          const auto byte = static_cast<std::uint8_t>(*from++ ^ flip);
          to[(c / 4 * kernel_ + position) * 4 + c % 4] = byte;
          sums_[At(m)] += static_cast<std::int8_t>(byte);
        }
      }
    }
  }

  void CutColumns() {
    const std::int64_t behind = out_size_ % kByteDotPad;
    const std::int64_t few = behind <= kByteDotFew ? behind : 0, whole = out_size_ - few;
    for (std::int64_t begin = 0; begin < whole; begin += kByteDotPanel) {
      blocks_.push_back(
          {.main = {.begin = begin, .count = std::min(kByteDotPanel, whole - begin)}});
    }
    if (blocks_.empty()) blocks_.emplace_back();
    blocks_.back().behind = {.begin = whole, .count = few, .few = true};
  }

  /// Four channels from `first` on, from position `at` on. Where there are no more channels weights
  /// are zeros: any number will do.
  std::array<const std::uint8_t*, 4> Rows(const Image& image, std::int64_t plane,
                                          std::int64_t first, std::int64_t at) const {
    std::array<const std::uint8_t*, 4> rows;
    for (std::int64_t c = 0; c < 4; ++c) {
      const std::int64_t channel = plane * channels_ + std::min(first + c, channels_ - 1);
      rows[At(c)] = image.bytes + channel * in_size_ + at;
    }
    return rows;
  }

  void LayInQuads(KernelContext& context, const Image& image) const {
    const std::int64_t quads = QuadsOf(channels_);
    constexpr std::int64_t kGrain = 64 << 10;
    context.ParallelFor(Planes() * quads, std::max<std::int64_t>(1, kGrain / in_size_),
                        [&](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
                            InterleaveBytes(Rows(image, i / quads, i % quads * 4, 0), in_size_,
                                            image.flip, image.quads + i * in_size_ * 4);
                          }
                        });
  }

  /// Windows of one position.
  void LayPoints(const Image& image, std::int64_t plane, const Columns& columns,
                 const WindowPanel& to) const {
    for (std::int64_t quad = 0; quad < quads_; ++quad) {
      const auto rows = Rows(image, plane, quad * 4, columns.begin);
      if (!columns.few) {
        InterleaveBytes(rows, columns.count, image.flip, to.At4(quad, 0));
        continue;
      }
      for (std::int64_t j = 0; j < columns.count; ++j) {
        for (std::size_t c = 0; c < 4; ++c) {
          to.At4(quad, j)[c] = static_cast<std::uint8_t>(rows[c][j] ^ image.flip);
        }
      }
    }
  }

  /// What the windows cover, zero points where there is nothing.
  void LayPieces(const Image& image, std::int64_t plane, const Columns& columns,
                 std::span<const IntegerPatches::Piece> pieces, const WindowPanel& to) const {
    std::int64_t covered = 0;
    for (const auto& piece : pieces) covered += piece.count;
    if (covered < kernel_ * columns.count) to.Fill(image.zero);
    const std::uint8_t* const x = image.quads + plane * PlaneBytes();
    for (const auto& piece : pieces) {
      for (std::int64_t j = 0; j < (columns.few ? piece.count : 1); ++j) {
        CopyQuads({.from = x + (piece.from + j * piece.stride) * 4,
                   .from_step = in_size_ * 4,
                   .to = to.At4(piece.position, piece.column + j),
                   .to_step = to.At4(kernel_, 0) - to.At4(0, 0),
                   .rows = QuadsOf(channels_),
                   .count = columns.few ? 1 : piece.count,
                   .stride = piece.stride});
      }
    }
  }

  /// Some columns of a plane: where their pieces lie, and room for them.
  struct Part {
    std::vector<IntegerPatches::Piece> pieces = {};
    ByteNumbers room = {};
  };

  ByteDot Lay(const Image& image, std::int64_t plane, const Columns& columns, Part& part) const {
    const WindowPanel panel(columns, quads_, part.room);
    if (pointwise_) {
      LayPoints(image, plane, columns, panel);
    } else {
      LayPieces(image, plane, columns, part.pieces, panel);
    }
    return panel.dot();
  }

  /// Channels [begin, end) of a group at some columns.
  void Multiply(ByteDot dot, std::int64_t plane, std::int64_t begin, std::int64_t end,
                const Columns& columns, const SumStore& store) const {
    const std::int64_t channel = plane % shape_.groups * width_ + begin;
    dot.a = weights_.data() + channel * quads_ * 4;
    dot.rows = end - begin;
    store.Products(dot, channel, (plane * width_ + begin) * out_size_ + columns.begin, out_size_);
  }

  /// Slices of channels of a block of positions of all planes, then of the next block.
  void RunParts(const Image& image, std::int64_t first, std::int64_t last,
                const SumStore& store) const {
    Part main, behind;
    const std::int64_t each = Planes() * slices_;
    for (std::int64_t i = first; i < last && !MustStop(); ++i) {
      const Block& block = blocks_[At(i / each)];
      const std::int64_t plane = i % each / slices_, slice = i % slices_;
      if (!pointwise_ && (i == first || i % each == 0)) {
        patches_.PiecesOf(block.main.begin, block.main.count, main.pieces);
        patches_.PiecesOf(block.behind.begin, block.behind.count, behind.pieces);
      }
      const ByteDot dot = Lay(image, plane, block.main, main);
      const ByteDot few = Lay(image, plane, block.behind, behind);
      const std::int64_t end = width_ * (slice + 1) / slices_;
      const std::int64_t step = block.behind.count > 0 ? kNearRows : width_;
      for (std::int64_t m = width_ * slice / slices_; m < end; m += step) {
        const std::int64_t past = std::min(end, m + step);
        if (block.main.count > 0) Multiply(dot, plane, m, past, block.main, store);
        if (block.behind.count > 0) Multiply(few, plane, m, past, block.behind, store);
      }
    }
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  ConvShape shape_;
  IntegerPatches patches_;
  std::int64_t in_size_, out_size_, kernel_;
  std::int64_t channels_, width_,
      quads_;  ///< of a group: channels, those of output, quads of a row
  bool pointwise_;
  std::vector<Block> blocks_ = {};
  std::int64_t slices_ = 1;   ///< of its channels of output, for threads that had no work
  ByteNumbers weights_ = {};  ///< [out channels, quads, 4]
  std::vector<std::int64_t> sums_ = {};
};

std::string DeclineConv(const NodeFacts& node, const QuantizedPorts& ports) {
  std::string why = DeclineByteConv(node, ports);
  if (why.empty()) why = DeclineByteDot(node, ports);
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(AsConv(node, ports));
  if (!shape) return shape.error().message;
  const bool apart = shape->groups > 1 && shape->in_channels == shape->groups;
  return apart ? "channels are by themselves" : "";
}

Result<std::unique_ptr<Executable>> PrepareConv(const NodeFacts& node, const QuantizedPorts& ports,
                                                DeviceContext& device) {
  ConvShape shape = TRY(ConvShapeOf(AsConv(node, ports)));
  return std::unique_ptr<Executable>(
      std::make_unique<ConvExecutable>(node, ports, std::move(shape), device.threads()));
}

}  // namespace

std::string DeclineConvIntegerDot(const NodeFacts& node) {
  return DeclineConv(node, kIntegerPorts);
}
Result<std::unique_ptr<Executable>> PrepareConvIntegerDot(const NodeFacts& node,
                                                          DeviceContext& device) {
  return PrepareConv(node, kIntegerPorts, device);
}

std::string DeclineQLinearConvDot(const NodeFacts& node) {
  return DeclineConv(node, kQLinearPorts);
}
Result<std::unique_ptr<Executable>> PrepareQLinearConvDot(const NodeFacts& node,
                                                          DeviceContext& device) {
  return PrepareConv(node, kQLinearPorts, device);
}

}  // namespace slipway::runtime
