// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantized_product.h"

#include <algorithm>
#include <optional>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_packed.h"
#include "runtime/kernels/integer_patches.h"
#include "runtime/kernels/integer_simd.h"
#include "runtime/kernels/quantized_node.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// A times one matrix B, A of any number of dimensions, or stacks of as many matrices each.
class MatMulExecutable final : public Executable {
 public:
  MatMulExecutable(const NodeFacts& node, const QuantizedPorts& ports)
      : node_(node), ports_(ports), stores_(node, ports) {
    const Shape& b = node.shape(ports.b);
    matrices_ = CountOf(b, 0, b.size() - 2);
    if (!IsConstant(node, ports)) return;
    const std::vector<std::int32_t> zeros = ConstantZeros(node, ports);
    for (std::int64_t i = 0; i < matrices_; ++i) {
      packed_.push_back(PackedBytes::Pack(*node.inputs[ports.b].constant, i, zeros));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    std::vector<std::int32_t> zeros;
    if (packed_.empty()) zeros = ZerosOfRun(node_, ports_, context);
    const SumStore store = TRY(stores_.Of(
        context, [&] { return BiasOf(node_, ports_, context, node_.shape(ports_.b).back()); }));
    for (std::int64_t i = 0; i < matrices_; ++i) {
      std::optional<PackedBytes> made;
      if (packed_.empty()) made = PackedBytes::Pack(*context.input(ports_.b), i, zeros);
      RunMatrix(context, made ? *made : packed_[At(i)], i, store);
    }
    return {};
  }

 private:
  /// A's matrix number `matrix`, or all of A, times `b`.
  void RunMatrix(KernelContext& context, const PackedBytes& b, std::int64_t matrix,
                 const SumStore& store) const {
    const Tensor& a = *context.input(0);
    const std::int32_t a_zero = ZeroOf(node_, context, ports_.a_zero);
    const std::int64_t of_each = a.size() / b.depth() / matrices_;
    const std::int64_t first = matrix * of_each;
    const auto fill = [&](std::int64_t row, std::int64_t rows, std::int16_t* to) {
      for (std::int64_t i = 0; i < rows; ++i) {
        Widen(a, (first + row + i) * b.depth(), b.depth(), a_zero, to + i * b.row_numbers());
      }
    };
    b.Product(context, of_each, fill,
              [&](std::int64_t row, std::int64_t rows, const std::int32_t* sums) {
                for (std::int64_t i = 0; i < rows; ++i, sums += b.columns()) {
                  store.Columns({sums, At(b.width())}, 0, (first + row + i) * b.width());
                }
              });
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  std::int64_t matrices_ = 1;        ///< of B
  std::vector<PackedBytes> packed_;  // none where B is no constant
};

/// Each image and group is a product: the group's weights times what windows cover.
class ConvExecutable final : public Executable {
 public:
  ConvExecutable(const NodeFacts& node, const QuantizedPorts& ports, ConvShape shape)
      : node_(node),
        ports_(ports),
        stores_(node, ports),
        shape_(std::move(shape)),
        patches_(shape_) {
    if (IsConstant(node, ports)) {
      weights_ = Rows(*node.inputs[ports.b].constant, ConstantZeros(node, ports));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    WideNumbers made;
    if (weights_.empty()) made = Rows(*context.input(ports_.b), ZerosOfRun(node_, ports_, context));
    const WideNumbers& weights = weights_.empty() ? made : weights_;
    const SumStore store = TRY(
        stores_.Of(context, [&] { return BiasOf(node_, ports_, context, shape_.out_channels); }));
    const Tensor& x = *context.input(0);
    const std::int32_t zero = ZeroOf(node_, context, ports_.a_zero);
    const std::int64_t width = shape_.out_channels / shape_.groups;
    ForEachBlock(
        context, [&](std::int64_t plane, std::int64_t begin, std::int64_t count, Room& room) {
          const std::int64_t columns = (count + kIntegerPad - 1) / kIntegerPad * kIntegerPad;
          Gather(x, plane, zero, room.pieces, columns, room.patches.data());
          const std::int64_t first = plane % shape_.groups * width;
          Multiply({.a = weights.data() + first * 2 * patches_.pairs(),
                    .b = room.patches.data(),
                    .y = room.sums.data(),
                    .rows = width,
                    .pairs = patches_.pairs(),
                    .columns = columns});
          for (std::int64_t m = 0; m < width; ++m) {
            store.Channel({room.sums.data() + m * columns, At(count)}, first + m,
                          (plane * width + m) * shape_.window.output_size() + begin);
          }
        });
    return {};
  }

 private:
  /// Positions of the output at once.
  static constexpr std::int64_t kColumns = 64;
  struct Room {
    WideNumbers patches;
    CountedVector<std::int32_t> sums;
    std::vector<IntegerPatches::Piece> pieces = {};  ///< of the block
  };

  /// body(plane, begin, count, room) for blocks of positions of every image and group: one block
  /// of all of them, then the next.
  template <class F>
  void ForEachBlock(KernelContext& context, F&& body) const {
    constexpr std::int64_t kGrainWork = 1 << 20;
    const std::int64_t width = shape_.out_channels / shape_.groups;
    const std::int64_t size = shape_.window.output_size();
    const std::int64_t blocks = (size + kColumns - 1) / kColumns;
    const std::int64_t work = patches_.pairs() * 2 * width * kColumns;
    const std::int64_t planes = shape_.batch * shape_.groups;
    context.ParallelFor(planes * blocks, std::max<std::int64_t>(1, kGrainWork / work),
                        [&](std::int64_t first, std::int64_t past) {
                          Room room{WideNumbers(At(patches_.pairs() * kColumns * 2)),
                                    CountedVector<std::int32_t>(At(width * kColumns))};
                          for (std::int64_t i = first; i < past; ++i) {
                            if (MustStop()) return;
                            const std::int64_t begin = i / planes * kColumns;
                            const std::int64_t count = std::min(kColumns, size - begin);
                            if (i == first || i % planes == 0) {
                              patches_.PiecesOf(begin, count, room.pieces);
                            }
                            body(i % planes, begin, count, room);
                          }
                        });
  }

  void Gather(const Tensor& x, std::int64_t plane, std::int32_t zero,
              std::span<const IntegerPatches::Piece> pieces, std::int64_t columns,
              std::int16_t* to) const {
    const std::int64_t from =
        plane * (shape_.in_channels / shape_.groups) * shape_.window.input_size();
    if (x.dtype() == DType::kInt8) {
      return patches_.Gather(x.data<std::int8_t>().data() + from, zero, pieces, columns, to);
    }
    patches_.Gather(x.data<std::uint8_t>().data() + from, zero, pieces, columns, to);
  }

  /// A row for each output channel, less its zero point.
  WideNumbers Rows(const Tensor& w, std::span<const std::int32_t> zeros) const {
    const std::int64_t depth = shape_.in_channels / shape_.groups * shape_.window.kernel_size();
    const std::int64_t stride = 2 * patches_.pairs();
    WideNumbers rows(At(shape_.out_channels * stride), 0);
    for (std::int64_t m = 0; m < shape_.out_channels; ++m) {
      const std::int32_t zero = zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : At(m)];
      Widen(w, m * depth, depth, zero, rows.data() + m * stride);
    }
    return rows;
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  ConvShape shape_;
  IntegerPatches patches_;
  WideNumbers weights_;  // none where they are no constants
};

Result<std::unique_ptr<Executable>> PrepareMatMul(const NodeFacts& node,
                                                  const QuantizedPorts& ports) {
  return std::unique_ptr<Executable>(std::make_unique<MatMulExecutable>(node, ports));
}

Result<std::unique_ptr<Executable>> PrepareConv(const NodeFacts& node,
                                                const QuantizedPorts& ports) {
  ConvShape shape = TRY(ConvShapeOf(AsConv(node, ports)));
  return std::unique_ptr<Executable>(
      std::make_unique<ConvExecutable>(node, ports, std::move(shape)));
}

}  // namespace

std::string DeclineMatMulInteger(const NodeFacts& node) {
  return DeclineByteMatMul(node, kIntegerPorts);
}
Result<std::unique_ptr<Executable>> PrepareMatMulInteger(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kIntegerPorts);
}

std::string DeclineQLinearMatMul(const NodeFacts& node) {
  return DeclineByteMatMul(node, kQLinearPorts);
}
Result<std::unique_ptr<Executable>> PrepareQLinearMatMul(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kQLinearPorts);
}

std::string DeclineConvInteger(const NodeFacts& node) {
  return DeclineByteConv(node, kIntegerPorts);
}
Result<std::unique_ptr<Executable>> PrepareConvInteger(const NodeFacts& node, DeviceContext&) {
  return PrepareConv(node, kIntegerPorts);
}

std::string DeclineQLinearConv(const NodeFacts& node) {
  return DeclineByteConv(node, kQLinearPorts);
}
Result<std::unique_ptr<Executable>> PrepareQLinearConv(const NodeFacts& node, DeviceContext&) {
  return PrepareConv(node, kQLinearPorts);
}

}  // namespace slipway::runtime
