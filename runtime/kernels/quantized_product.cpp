// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantized_product.h"

#include <algorithm>
#include <optional>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_packed.h"
#include "runtime/kernels/integer_patches.h"
#include "runtime/kernels/integer_simd.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/quantize.h"

namespace slipway::runtime {
namespace {

/// Terms whose sum surely fits 32 bits.
constexpr std::int64_t kMostTerms = INT32_MAX / (255 * 255);

/// Which inputs are what; 0 where the operator has none.
struct Ports {
  std::size_t a_zero, b, b_zero;
  std::size_t a_scale, b_scale, y_scale, y_zero, bias;
  bool scaled() const { return y_scale != 0; }
};
constexpr Ports kInteger = {.a_zero = 2,
                            .b = 1,
                            .b_zero = 3,
                            .a_scale = 0,
                            .b_scale = 0,
                            .y_scale = 0,
                            .y_zero = 0,
                            .bias = 0};
constexpr Ports kQLinear = {.a_zero = 2,
                            .b = 3,
                            .b_zero = 5,
                            .a_scale = 1,
                            .b_scale = 4,
                            .y_scale = 6,
                            .y_zero = 7,
                            .bias = 8};

std::int64_t SizeOf(const NodeFacts& node, std::size_t input) {
  return node.Has(input) ? CountOf(node.shape(input), 0, node.shape(input).size()) : 1;
}

/// One parameter for the whole of the first operand and of the output, one for each of `width`
/// columns of the second or for all.
std::string DeclineParameters(const NodeFacts& node, const Ports& ports, std::int64_t width) {
  for (const std::size_t input : {ports.a_zero, ports.a_scale, ports.y_scale, ports.y_zero}) {
    if (input != 0 && SizeOf(node, input) != 1)
      return Message("input ", input, " is not one number");
  }
  for (const std::size_t input : {ports.b_zero, ports.b_scale}) {
    if (input == 0 || !node.Has(input) || SizeOf(node, input) == 1) continue;
    if (node.shape(input) != Shape{width}) return Message("input ", input, " is no row");
  }
  for (const std::size_t input : {ports.b, ports.y_zero}) {
    if (input != 0 && !IsByte(node.dtype(input))) return "elements are not of 8 bits";
  }
  return IsByte(node.dtype(0)) ? "" : "elements are not of 8 bits";
}

/// How sums become elements of the output.
class Scaling {
 public:
  static Result<Scaling> Make(const NodeFacts& node, const Ports& ports, KernelContext& context,
                              std::int64_t width) {
    const auto numbers = [&](std::size_t input) -> Result<std::vector<double>> {
      const Tensor wide = TRY(Converted(context, *context.input(input), DType::kFloat64));
      const auto values = wide.data<double>();
      return std::vector<double>(values.begin(), values.end());
    };
    Scaling scaling;
    scaling.range_ = RangeOfInteger(node.dtype(ports.y_zero));
    scaling.zero_ = TRY(numbers(ports.y_zero))[0];
    const double a = TRY(numbers(ports.a_scale))[0];
    const double y = TRY(numbers(ports.y_scale))[0];
    const std::vector<double> b = TRY(numbers(ports.b_scale));
    for (std::int64_t j = 0; j < width; ++j) {
      scaling.scales_.push_back(a * b[b.size() == 1 ? 0 : At(j)] / y);
    }
    return scaling;
  }
  double operator()(std::int64_t column, std::int64_t sum) const {
    return QuantizeOne(static_cast<double>(sum) * scales_[At(column)], zero_, range_);
  }

 private:
  std::vector<double> scales_;
  double zero_ = 0;
  IntegerRange range_ = {};
};

/// Hands `store` to `use` that puts sum `value` of column `column` at element `at` of `y`.
template <class F>
Result<void> WithStore(const NodeFacts& node, const Ports& ports, KernelContext& context,
                       std::int64_t width, F&& use) {
  Tensor& y = context.output(0);
  if (!ports.scaled()) {
    std::int32_t* out = y.data<std::int32_t>().data();
    return use([out](std::int64_t at, std::int64_t, std::int64_t sum) {
      out[at] = static_cast<std::int32_t>(sum);
    });
  }
  const Scaling scaling = TRY(Scaling::Make(node, ports, context, width));
  const auto scaled = [&]<class T>(T* out) {
    return use([out, &scaling](std::int64_t at, std::int64_t column, std::int64_t sum) {
      out[at] = static_cast<T>(scaling(column, sum));
    });
  };
  if (y.dtype() == DType::kInt8) return scaled(y.data<std::int8_t>().data());
  return scaled(y.data<std::uint8_t>().data());
}

std::int32_t ZeroOf(const NodeFacts& node, KernelContext& context, std::size_t input) {
  return node.Has(input) ? BytesOf(context.input(input))[0] : 0;
}

/// Whether the second operand and its zero points are known when planning.
bool IsConstant(const NodeFacts& node, const Ports& ports) {
  return node.inputs[ports.b].constant != nullptr &&
         (!node.Has(ports.b_zero) || node.inputs[ports.b_zero].constant != nullptr);
}

std::vector<std::int32_t> ConstantZeros(const NodeFacts& node, const Ports& ports) {
  return node.Has(ports.b_zero) ? BytesOf(node.inputs[ports.b_zero].constant)
                                : std::vector<std::int32_t>();
}

std::vector<std::int32_t> ZerosOfRun(const NodeFacts& node, const Ports& ports,
                                     KernelContext& context) {
  return node.Has(ports.b_zero) ? BytesOf(context.input(ports.b_zero))
                                : std::vector<std::int32_t>();
}

/// A times one matrix B; A may have any number of dimensions.
class MatMulExecutable final : public Executable {
 public:
  MatMulExecutable(const NodeFacts& node, const Ports& ports) : node_(node), ports_(ports) {
    if (IsConstant(node, ports)) {
      packed_ = PackedBytes::Pack(*node.inputs[ports.b].constant, ConstantZeros(node, ports));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    std::optional<PackedBytes> made;
    if (!packed_)
      made = PackedBytes::Pack(*context.input(ports_.b), ZerosOfRun(node_, ports_, context));
    const PackedBytes& b = packed_ ? *packed_ : *made;
    const Tensor& a = *context.input(0);
    const std::int32_t a_zero = ZeroOf(node_, context, ports_.a_zero);
    const auto fill = [&](std::int64_t row, std::int64_t rows, std::int16_t* to) {
      for (std::int64_t i = 0; i < rows; ++i) {
        Widen(a, (row + i) * b.depth(), b.depth(), a_zero, to + i * b.row_numbers());
      }
    };
    return WithStore(node_, ports_, context, b.width(), [&](const auto& store) -> Result<void> {
      b.Product(context, a.size() / b.depth(), fill,
                [&](std::int64_t row, std::int64_t rows, const std::int32_t* sums) {
                  for (std::int64_t i = 0; i < rows; ++i, sums += b.columns()) {
                    const std::int64_t at = (row + i) * b.width();
                    for (std::int64_t j = 0; j < b.width(); ++j) store(at + j, j, sums[j]);
                  }
                });
      return {};
    });
  }

 private:
  const NodeFacts& node_;
  Ports ports_;
  std::optional<PackedBytes> packed_;  // nothing where B is no constant
};

std::string DeclineMatMul(const NodeFacts& node, const Ports& ports) {
  const Shape& b = node.shape(ports.b);
  if (b.size() != 2 || node.shape(0).empty()) return "B is not one matrix";
  if (SizeOf(node, 0) == 0 || b[0] == 0 || b[1] == 0) return "nothing to multiply";
  if (ports.scaled() && b[0] > kMostTerms) return "sums may not fit 32 bits";
  return DeclineParameters(node, ports, b[1]);
}

/// The node as the Conv it is at heart, without a bias.
NodeFacts AsConv(const NodeFacts& node, const Ports& ports) {
  NodeFacts conv = node;
  conv.inputs = {node.inputs[0], node.inputs[ports.b]};
  conv.present = {true, true};
  return conv;
}

/// Each image and group is a product: the group's weights times what windows cover.
class ConvExecutable final : public Executable {
 public:
  ConvExecutable(const NodeFacts& node, const Ports& ports, ConvShape shape)
      : node_(node), ports_(ports), shape_(std::move(shape)), patches_(shape_) {
    if (IsConstant(node, ports)) {
      weights_ = Rows(*node.inputs[ports.b].constant, ConstantZeros(node, ports));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    WideNumbers made;
    if (weights_.empty()) made = Rows(*context.input(ports_.b), ZerosOfRun(node_, ports_, context));
    const WideNumbers& weights = weights_.empty() ? made : weights_;
    std::vector<std::int64_t> bias(At(shape_.out_channels), 0);
    if (ports_.bias != 0 && node_.Has(ports_.bias)) bias = IntsOf(context.input(ports_.bias));
    const Tensor& x = *context.input(0);
    const std::int32_t zero = ZeroOf(node_, context, ports_.a_zero);
    const std::int64_t width = shape_.out_channels / shape_.groups;
    return WithStore(
        node_, ports_, context, shape_.out_channels, [&](const auto& store) -> Result<void> {
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
                  const std::int64_t at = (plane * width + m) * shape_.window.output_size() + begin;
                  const std::int32_t* sums = room.sums.data() + m * columns;
                  for (std::int64_t j = 0; j < count; ++j) {
                    store(at + j, first + m, sums[j] + bias[At(first + m)]);
                  }
                }
              });
          return {};
        });
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
  Ports ports_;
  ConvShape shape_;
  IntegerPatches patches_;
  WideNumbers weights_;  // none where they are no constants
};

std::string DeclineConv(const NodeFacts& node, const Ports& ports) {
  const auto shape = ConvShapeOf(AsConv(node, ports));
  if (!shape) return shape.error().message;
  const std::int64_t terms = shape->in_channels / shape->groups * shape->window.kernel_size();
  if (terms == 0 || shape->batch * shape->out_channels * shape->window.output_size() == 0) {
    return "nothing to multiply";
  }
  if (ports.scaled() && terms > kMostTerms) return "sums may not fit 32 bits";
  return DeclineParameters(node, ports, shape->out_channels);
}

Result<std::unique_ptr<Executable>> PrepareMatMul(const NodeFacts& node, const Ports& ports) {
  return std::unique_ptr<Executable>(std::make_unique<MatMulExecutable>(node, ports));
}

Result<std::unique_ptr<Executable>> PrepareConv(const NodeFacts& node, const Ports& ports) {
  ConvShape shape = TRY(ConvShapeOf(AsConv(node, ports)));
  return std::unique_ptr<Executable>(
      std::make_unique<ConvExecutable>(node, ports, std::move(shape)));
}

}  // namespace

std::string DeclineMatMulInteger(const NodeFacts& node) { return DeclineMatMul(node, kInteger); }
Result<std::unique_ptr<Executable>> PrepareMatMulInteger(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kInteger);
}

std::string DeclineQLinearMatMul(const NodeFacts& node) { return DeclineMatMul(node, kQLinear); }
Result<std::unique_ptr<Executable>> PrepareQLinearMatMul(const NodeFacts& node, DeviceContext&) {
  return PrepareMatMul(node, kQLinear);
}

std::string DeclineConvInteger(const NodeFacts& node) { return DeclineConv(node, kInteger); }
Result<std::unique_ptr<Executable>> PrepareConvInteger(const NodeFacts& node, DeviceContext&) {
  return PrepareConv(node, kInteger);
}

std::string DeclineQLinearConv(const NodeFacts& node) { return DeclineConv(node, kQLinear); }
Result<std::unique_ptr<Executable>> PrepareQLinearConv(const NodeFacts& node, DeviceContext&) {
  return PrepareConv(node, kQLinear);
}

}  // namespace slipway::runtime
