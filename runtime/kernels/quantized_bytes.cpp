// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantized_bytes.h"

#include <algorithm>

#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Rows that stay near while a panel is multiplied with them.
constexpr std::int64_t kRows = 48;
/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 21;

/// A matrix [depth, width] of signed bytes in panels, and the sums of its columns.
class PanelMatrix {
 public:
  explicit PanelMatrix(const Tensor& from) : depth_(from.dim(0)), width_(from.dim(1)) {
    const std::uint8_t flip = ToSigned(from.dtype());
    bytes_.assign(At(QuadsOf(depth_) * 4 * PaddedColumns(width_)), 0);
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
    return PaddedColumns(std::min(kByteDotPanel, width_ - first));
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
      : node_(node), ports_(ports), stores_(node, ports), b_(*node.inputs[ports.b].constant) {}

  Result<void> Run(KernelContext& context) const override {
    const Tensor& a = *context.input(0);
    const std::int64_t rows = a.size() / b_.depth();
    const SumStore store = TRY(stores_.Of(context, [&] {
      const std::int64_t zero = UnsignedZero(node_, ports_, context);
      std::vector<std::int64_t> added = BiasOf(node_, ports_, context, b_.width());
      for (std::size_t j = 0; j < added.size(); ++j) added[j] -= zero * b_.sums()[j];
      return added;
    }));
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
    const std::int64_t width = b_.width();
    store.Products({.a = a,
                    .a_stride = QuadsOf(b_.depth()) * 4,
                    .b = b_.Panel(column),
                    .b_stride = b_.PanelWidth(column) * 4,
                    .rows = rows,
                    .quads = QuadsOf(b_.depth()),
                    .columns = std::min(kByteDotPanel, width - column)},
                   column, row * width + column, width);
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  PanelMatrix b_;
};

std::string DeclineMatMul(const NodeFacts& node, const QuantizedPorts& ports) {
  std::string why = DeclineByteMatMul(node, ports);
  if (why.empty()) why = DeclineByteDot(node, ports);
  if (!why.empty()) return why;
  return node.shape(ports.b).size() > 2 ? "B is not one matrix" : "";
}

Result<std::unique_ptr<Executable>> PrepareMatMul(const NodeFacts& node,
                                                  const QuantizedPorts& ports) {
  return std::unique_ptr<Executable>(std::make_unique<MatMulExecutable>(node, ports));
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

}  // namespace slipway::runtime
