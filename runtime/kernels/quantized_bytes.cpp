// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantized_bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/device/device.h"
#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_patches.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Rows whose sums stay near until they are stored.
constexpr std::int64_t kRows = 48;
/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 21;
using Sums = std::array<std::int32_t, static_cast<std::size_t>(kRows* kByteDotPanel)>;

std::int64_t QuadsOf(std::int64_t depth) { return (depth + 3) / 4; }
std::int64_t Padded(std::int64_t columns) {
  return (columns + kByteDotPad - 1) / kByteDotPad * kByteDotPad;
}

const std::uint8_t* RawBytes(const Tensor& tensor) {
  return static_cast<const std::uint8_t*>(tensor.raw());
}

/// A matrix [depth, width] of signed bytes in panels, and the sums of its columns.
class PanelMatrix {
 public:
  explicit PanelMatrix(const Tensor& from) : depth_(from.dim(0)), width_(from.dim(1)) {
    const std::uint8_t flip = ToSigned(from.dtype());
    bytes_.assign(At(QuadsOf(depth_) * 4 * Padded(width_)), 0);
    sums_.assign(At(width_), 0);
    const std::uint8_t* row = RawBytes(from);
    for (std::int64_t k = 0; k < depth_; ++k, row += width_) {
      for (std::int64_t j = 0; j < width_; ++j) {
        const auto byte = static_cast<std::uint8_t>(row[j] ^ flip);
        const std::int64_t first = j / kByteDotPanel * kByteDotPanel;
        const std::int64_t at = (k / 4 * PanelWidth(first) + j - first) * 4 + k % 4;
        bytes_[At(first * QuadsOf(depth_) * 4 + at)] = byte;
        sums_[At(j)] += static_cast<std::int8_t>(byte);
      }
    }
  }

  std::int64_t depth() const { return depth_; }
  std::int64_t width() const { return width_; }
  std::int64_t panels() const { return (width_ + kByteDotPanel - 1) / kByteDotPanel; }
  const std::vector<std::int64_t>& sums() const { return sums_; }
  std::int64_t PanelWidth(std::int64_t first) const {
    return Padded(std::min(kByteDotPanel, width_ - first));
  }
  /// The panel whose first column is `first`.
  const std::uint8_t* Panel(std::int64_t first) const {
    return bytes_.data() + first * QuadsOf(depth_) * 4;
  }

 private:
  std::int64_t depth_, width_;
  ByteNumbers bytes_ = {};
  std::vector<std::int64_t> sums_ = {};
};

/// A times one matrix B; A may have any number of dimensions.
class MatMulExecutable final : public Executable {
 public:
  MatMulExecutable(const NodeFacts& node, const QuantizedPorts& ports)
      : node_(node), ports_(ports), b_(*node.inputs[ports.b].constant) {}

  Result<void> Run(KernelContext& context) const override {
    const Tensor& a = *context.input(0);
    const std::int64_t rows = a.size() / b_.depth();
    const std::int64_t zero = UnsignedZero(node_, ports_, context);
    std::vector<std::int64_t> added;
    for (const std::int64_t sum : b_.sums()) added.push_back(-zero * sum);
    const SumStore store = TRY(SumStore::Make(node_, ports_, context, added));
    ByteNumbers made;
    const std::uint8_t flip = ToUnsigned(a.dtype());
    const std::int64_t stride = QuadsOf(b_.depth()) * 4;
    if (flip != 0 || stride != b_.depth()) made = RowsOf(a, rows, flip);
    const std::uint8_t* const from = made.empty() ? RawBytes(a) : made.data();
    const std::int64_t blocks = (rows + kRows - 1) / kRows;
    const std::int64_t work = std::min(rows, kRows) * kByteDotPanel * stride;
    context.ParallelFor(b_.panels() * blocks, std::max<std::int64_t>(1, kGrainWork / work),
                        [&](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
                            const std::int64_t row = i % blocks * kRows;
                            RunBlock(from + row * stride, row, std::min(kRows, rows - row),
                                     i / blocks * kByteDotPanel, store);
                          }
                        });
    return {};
  }

 private:
  /// A's rows in whole quads.
  ByteNumbers RowsOf(const Tensor& a, std::int64_t rows, std::uint8_t flip) const {
    const std::int64_t stride = QuadsOf(b_.depth()) * 4;
    ByteNumbers bytes(At(rows * stride), 0);
    const std::uint8_t* from = RawBytes(a);
    for (std::int64_t i = 0; i < rows; ++i, from += b_.depth()) {
      std::uint8_t* const to = bytes.data() + i * stride;
      for (std::int64_t k = 0; k < b_.depth(); ++k)
        to[k] = static_cast<std::uint8_t>(from[k] ^ flip);
    }
    return bytes;
  }

  void RunBlock(const std::uint8_t* a, std::int64_t row, std::int64_t rows, std::int64_t column,
                const SumStore& store) const {
    Sums sums;
    const std::int64_t width = b_.PanelWidth(column);
    RunByteDot({.a = a,
                .a_stride = QuadsOf(b_.depth()) * 4,
                .b = b_.Panel(column),
                .b_stride = width * 4,
                .rows = rows,
                .quads = QuadsOf(b_.depth()),
                .width = width,
                .y = sums.data(),
                .y_stride = kByteDotPanel});
    const auto count = At(std::min(kByteDotPanel, b_.width() - column));
    for (std::int64_t i = 0; i < rows; ++i) {
      store.Columns(std::span(sums).subspan(At(i * kByteDotPanel), count), column,
                    (row + i) * b_.width() + column);
    }
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  PanelMatrix b_;
};

/// Each image and group is a product: the group's weights times what windows cover. Four channels
/// lie side by side, so that windows are read in whole quads.
class ConvExecutable final : public Executable {
 public:
  ConvExecutable(const NodeFacts& node, const QuantizedPorts& ports, ConvShape shape, int threads)
      : node_(node),
        ports_(ports),
        shape_(std::move(shape)),
        patches_(shape_),
        channels_(shape_.in_channels / shape_.groups),
        quads_(QuadsOf(channels_) * shape_.window.kernel_size()) {
    PackWeights(*node.inputs[ports.b].constant);
    const std::int64_t most = (shape_.out_channels / shape_.groups + kRows - 1) / kRows;
    slices_ = std::clamp<std::int64_t>(threads / (Planes() * Blocks()), 1, most);
  }

  Result<void> Run(KernelContext& context) const override {
    const std::int32_t zero = UnsignedZero(node_, ports_, context);
    std::vector<std::int64_t> added = BiasOf(node_, ports_, context, shape_.out_channels);
    for (std::size_t m = 0; m < added.size(); ++m) added[m] -= zero * sums_[m];
    const SumStore store = TRY(SumStore::Make(node_, ports_, context, added));
    const ByteNumbers image = InQuads(context, *context.input(0));
    const std::int64_t parts = Planes() * Blocks() * slices_;
    const std::int64_t work =
        quads_ * 4 * kByteDotPanel * (shape_.out_channels / shape_.groups / slices_ + 1);
    context.ParallelFor(
        parts, std::max<std::int64_t>(1, kGrainWork / work),
        [&](std::int64_t first, std::int64_t last) { RunParts(image, zero, first, last, store); });
    return {};
  }

 private:
  /// Vectors may reach so far behind the image.
  static constexpr std::int64_t kBehind = kByteDotPanel * 4;

  std::int64_t Planes() const { return shape_.batch * shape_.groups; }
  std::int64_t Blocks() const {
    return (shape_.window.output_size() + kByteDotPanel - 1) / kByteDotPanel;
  }
  std::int64_t PlaneBytes() const { return QuadsOf(channels_) * shape_.window.input_size() * 4; }

  void PackWeights(const Tensor& w) {
    const std::int64_t kernel = shape_.window.kernel_size();
    const std::uint8_t flip = ToSigned(w.dtype());
    const std::uint8_t* from = RawBytes(w);
    weights_.assign(At(shape_.out_channels * quads_ * 4), 0);
    sums_.assign(At(shape_.out_channels), 0);
    for (std::int64_t m = 0; m < shape_.out_channels; ++m) {
      std::uint8_t* const to = weights_.data() + m * quads_ * 4;
      for (std::int64_t c = 0; c < channels_; ++c) {
        for (std::int64_t position = 0; position < kernel; ++position) {
          const auto byte = static_cast<std::uint8_t>(*from++ ^ flip);
          to[(c / 4 * kernel + position) * 4 + c % 4] = byte;
          sums_[At(m)] += static_cast<std::int8_t>(byte);
        }
      }
    }
  }

  /// The planes [images and groups, channels / 4, positions, 4].
  ByteNumbers InQuads(KernelContext& context, const Tensor& x) const {
    const std::int64_t plane = shape_.window.input_size(), quads = QuadsOf(channels_);
    const std::uint8_t flip = ToUnsigned(x.dtype());
    ByteNumbers all(At(shape_.batch * shape_.groups * PlaneBytes() + kBehind));
    constexpr std::int64_t kGrain = 16 << 10;
    context.ParallelFor(
        shape_.batch * shape_.groups * quads, std::max<std::int64_t>(1, kGrain / plane),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t first = i % quads * 4;
            const std::uint8_t* from = RawBytes(x) + (i / quads * channels_ + first) * plane;
            std::uint8_t* const to = all.data() + i * plane * 4;
            Interleave(from, std::min<std::int64_t>(4, channels_ - first), plane, flip, to);
          }
        });
    return all;
  }

  static void Interleave(const std::uint8_t* from, std::int64_t channels, std::int64_t plane,
                         std::uint8_t flip, std::uint8_t* to) {
    const std::uint8_t* rows[4];
    // Where there are no more channels weights are zeros: any number will do.
    for (std::int64_t c = 0; c < 4; ++c) rows[c] = from + std::min(c, channels - 1) * plane;
    const std::uint32_t flips = flip * 0x01010101U;
    for (std::int64_t i = 0; i < plane; ++i) {
      const std::uint32_t quad = static_cast<std::uint32_t>(rows[0][i]) |
                                 static_cast<std::uint32_t>(rows[1][i]) << 8U |
                                 static_cast<std::uint32_t>(rows[2][i]) << 16U |
                                 static_cast<std::uint32_t>(rows[3][i]) << 24U;
      const std::uint32_t flipped = quad ^ flips;
      std::memcpy(to + i * 4, &flipped, sizeof(flipped));
    }
  }

  /// Windows of one position: the image as it lies.
  ByteDot Pointwise(const std::uint8_t* x, std::int64_t begin) const {
    return {.b = x + begin * 4, .b_stride = shape_.window.input_size() * 4};
  }

  /// What the windows cover in a panel, zero points where there is nothing.
  ByteDot Gathered(const std::uint8_t* x, std::span<const IntegerPatches::Piece> pieces,
                   std::int64_t count, std::int32_t zero, ByteNumbers& panel) const {
    const std::int64_t columns = Padded(count), plane = shape_.window.input_size();
    const std::int64_t kernel = shape_.window.kernel_size();
    panel.resize(At(quads_ * columns * 4));
    std::int64_t covered = 0;
    for (const auto& piece : pieces) covered += piece.count;
    if (covered < kernel * columns) std::ranges::fill(panel, static_cast<std::uint8_t>(zero));
    for (std::int64_t c = 0; c < QuadsOf(channels_); ++c, x += plane * 4) {
      for (const auto& piece : pieces) {
        const std::uint8_t* from = x + piece.from * 4;
        std::uint8_t* to =
            panel.data() + ((c * kernel + piece.position) * columns + piece.column) * 4;
        if (piece.stride == 1) {
          std::memcpy(to, from, At(piece.count * 4));
          continue;
        }
        for (std::int64_t j = 0; j < piece.count; ++j, to += 4, from += piece.stride * 4) {
          std::memcpy(to, from, 4);
        }
      }
    }
    return {.b = panel.data(), .b_stride = columns * 4};
  }

  /// Channels of a group at positions [begin, begin + count).
  struct Block {
    std::int64_t plane = 0, begin = 0, count = 0;
    std::int64_t channel = 0, channels = 0;
  };

  /// Slices of channels of a block of positions of all planes, then of the next block.
  void RunParts(const ByteNumbers& image, std::int32_t zero, std::int64_t first, std::int64_t last,
                const SumStore& store) const {
    ByteNumbers panel;
    std::vector<IntegerPatches::Piece> pieces;
    const bool pointwise = IsPointwise(shape_.window);
    const std::int64_t each = Planes() * slices_;
    for (std::int64_t i = first; i < last && !MustStop(); ++i) {
      Block block{.plane = i % each / slices_, .begin = i / each * kByteDotPanel};
      block.count = std::min(kByteDotPanel, shape_.window.output_size() - block.begin);
      const std::int64_t width = shape_.out_channels / shape_.groups, slice = i % slices_;
      block.channel = width * slice / slices_;
      block.channels = width * (slice + 1) / slices_ - block.channel;
      const std::uint8_t* const x = image.data() + block.plane * PlaneBytes();
      if (pointwise) {
        RunBlock(Pointwise(x, block.begin), block, store);
        continue;
      }
      if (i == first || i % each == 0) patches_.PiecesOf(block.begin, block.count, pieces);
      RunBlock(Gathered(x, pieces, block.count, zero, panel), block, store);
    }
  }

  void RunBlock(ByteDot dot, const Block& block, const SumStore& store) const {
    Sums sums;
    const std::int64_t width = shape_.out_channels / shape_.groups;
    dot.a_stride = quads_ * 4;
    dot.a_signed = true;
    dot.quads = quads_;
    dot.width = Padded(block.count);
    dot.y = sums.data();
    dot.y_stride = kByteDotPanel;
    const std::int64_t end = block.channel + block.channels;
    for (std::int64_t m = block.channel; m < end; m += kRows) {
      const std::int64_t channel = block.plane % shape_.groups * width + m;
      dot.a = weights_.data() + channel * dot.a_stride;
      dot.rows = std::min(kRows, end - m);
      RunByteDot(dot);
      const std::int64_t at = (block.plane * width + m) * shape_.window.output_size() + block.begin;
      for (std::int64_t i = 0; i < dot.rows; ++i) {
        store.Channel(std::span(sums).subspan(At(i * kByteDotPanel), At(block.count)), channel + i,
                      at + i * shape_.window.output_size());
      }
    }
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  ConvShape shape_;
  IntegerPatches patches_;
  std::int64_t channels_, quads_;  ///< of a group
  std::int64_t slices_ = 1;        ///< of its channels of output, for threads that had no work
  ByteNumbers weights_ = {};       ///< [out channels, quads, 4]
  std::vector<std::int64_t> sums_ = {};
};

std::string DeclineMatMul(const NodeFacts& node, const QuantizedPorts& ports) {
  std::string why = DeclineByteMatMul(node, ports);
  if (why.empty()) why = DeclineByteDot(node, ports);
  if (!why.empty()) return why;
  return node.shape(ports.b).size() > 2 ? "B is not one matrix" : "";
}

std::string DeclineConv(const NodeFacts& node, const QuantizedPorts& ports) {
  std::string why = DeclineByteConv(node, ports);
  if (why.empty()) why = DeclineByteDot(node, ports);
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(AsConv(node, ports));
  if (!shape) return shape.error().message;
  return shape->in_channels == shape->groups ? "channels are by themselves" : "";
}

Result<std::unique_ptr<Executable>> PrepareMatMul(const NodeFacts& node,
                                                  const QuantizedPorts& ports) {
  return std::unique_ptr<Executable>(std::make_unique<MatMulExecutable>(node, ports));
}

Result<std::unique_ptr<Executable>> PrepareConv(const NodeFacts& node, const QuantizedPorts& ports,
                                                DeviceContext& device) {
  ConvShape shape = TRY(ConvShapeOf(AsConv(node, ports)));
  return std::unique_ptr<Executable>(
      std::make_unique<ConvExecutable>(node, ports, std::move(shape), device.threads()));
}

}  // namespace

std::string DeclineMatMulIntegerDot(const NodeFacts& node) {
  return DeclineMatMul(node, kIntegerPorts);
}
Result<std::unique_ptr<Executable>> PrepareMatMulIntegerDot(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kIntegerPorts);
}

std::string DeclineQLinearMatMulDot(const NodeFacts& node) {
  return DeclineMatMul(node, kQLinearPorts);
}
Result<std::unique_ptr<Executable>> PrepareQLinearMatMulDot(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kQLinearPorts);
}

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
