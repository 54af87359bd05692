// SPDX-License-Identifier: Apache-2.0
// com.microsoft: QLinearAdd, QLinearMul, QLinearWhere, QLinearLeakyRelu, QLinearSigmoid,
// QLinearSoftmax (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/byte_pairs_simd.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/qlinear.h"
#include "runtime/kernels/quantize_simd.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferBinaryOf(const NodeFacts& node) {
  TRY(CheckScale(node, 1, 2));
  TRY(CheckScale(node, 4, 5));
  TRY(CheckScale(node, 6, 7));
  return Facts{TensorFacts(node.dtype(0), TRY(BroadcastShapes(node.shape(0), node.shape(3))))};
}

Result<void> RunBinaryOf(const NodeFacts& node, KernelContext& context) {
  const bool product = node.op->type == "QLinearMul";
  const auto a = RealsOf(*context.input(0), Quantizer::Of(node, context, 1, 2));
  const auto b = RealsOf(*context.input(3), Quantizer::Of(node, context, 4, 5));
  Tensor& c = context.output(0);
  const BroadcastPlan plan = PlanBroadcast(c.shape(), {node.shape(0), node.shape(3)});
  Doubles out(At(plan.size));
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
               for (std::int64_t i = 0; i < count; ++i) {
                 const double left = a[At(from[0] + i * plan.inner_stride(0))];
                 const double right = b[At(from[1] + i * plan.inner_stride(1))];
                 out[At(at + i)] = product ? left * right : left + right;
               }
             });
  return StoreQuantised(context, std::move(out), Quantizer::Of(node, context, 6, 7), c);
}

using CombineBytes = void (*)(const QuantisedRow&, const QuantisedRow&, const ByteScale&,
                              std::uint8_t*, std::int64_t);

/// Elements [begin, end) whose runs are shorter than vectors: pieces of both operands as they are
/// broadcast, in room of their own.
struct ShortRuns {
  const BroadcastPlan& plan;
  QuantisedRow a, b;

  void Combine(CombineBytes combine, const ByteScale& scale, std::uint8_t* out, std::int64_t begin,
               std::int64_t end) const {
    constexpr std::int64_t kPiece = 1 << 10;
    std::uint8_t left[kPiece], right[kPiece];
    for (std::int64_t first = begin; first < end; first += kPiece) {
      const std::int64_t past = std::min(end, first + kPiece);
      ForEachRun(plan, first, past,
                 [&](std::int64_t at, const std::vector<std::int64_t>& row, std::int64_t count) {
                   Lay(a, row[0], count, left + at - first);
                   Lay(b, row[1], count, right + at - first);
                 });
      combine(Laid(a, left), Laid(b, right), scale, out + first, past - first);
    }
  }

 private:
  static void Lay(const QuantisedRow& row, std::int64_t at, std::int64_t count, std::uint8_t* to) {
    const auto* const from = static_cast<const std::uint8_t*>(row.elements) + at;
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * row.step];
  }
  static QuantisedRow Laid(QuantisedRow row, const std::uint8_t* elements) {
    row.elements = elements;
    row.step = 1;
    return row;
  }
};

Result<void> RunBinaryVectors(const NodeFacts& node, KernelContext& context) {
  constexpr std::int64_t kGrain = 16 << 10, kShort = 64;
  const CombineBytes combine = node.op->type == "QLinearMul" ? MultiplyToBytes : AddToBytes;
  Tensor& c = context.output(0);
  const ByteScale bytes = Quantizer::Of(node, context, 6, 7).Bytes(c.dtype());
  const BroadcastPlan plan = PlanBroadcast(c.shape(), {node.shape(0), node.shape(3)});
  const auto row_of = [&](std::size_t operand, std::size_t input) {
    const Quantizer from = Quantizer::Of(node, context, input + 1, input + 2);
    return QuantisedRow{.elements = context.input(input)->raw(),
                        .step = plan.inner_stride(operand),
                        .is_signed = c.dtype() == DType::kInt8,
                        .scale = from.scale,
                        .zero = from.zero};
  };
  const QuantisedRow a = row_of(0, 0), b = row_of(1, 3);
  const auto from = [](QuantisedRow row, std::int64_t first) {
    row.elements = static_cast<const std::byte*>(row.elements) + first;
    return row;
  };
  auto* const out = static_cast<std::uint8_t*>(c.raw());
  context.ParallelFor(plan.size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (plan.inner() < kShort) {
      return ShortRuns{plan, a, b}.Combine(combine, bytes, out, begin, end);
    }
    ForEachRun(plan, begin, end,
               [&](std::int64_t at, const std::vector<std::int64_t>& row, std::int64_t count) {
                 combine(from(a, row[0]), from(b, row[1]), bytes, out + at, count);
               });
  });
  return {};
}

Result<Facts> InferWhere(const NodeFacts& node) {
  TRY(CheckScale(node, 2, 3));
  TRY(CheckScale(node, 5, 6));
  TRY(CheckScale(node, 7, 8));
  const Shape values = TRY(BroadcastShapes(node.shape(1), node.shape(4)));
  return Facts{TensorFacts(node.dtype(1), TRY(BroadcastShapes(node.shape(0), values)))};
}

Result<void> RunWhere(const NodeFacts& node, KernelContext& context) {
  const auto chosen = context.input(0)->data<bool>();
  const auto x = RealsOf(*context.input(1), Quantizer::Of(node, context, 2, 3));
  const auto y = RealsOf(*context.input(4), Quantizer::Of(node, context, 5, 6));
  Tensor& z = context.output(0);
  const BroadcastPlan plan =
      PlanBroadcast(z.shape(), {node.shape(0), node.shape(1), node.shape(4)});
  Doubles out(At(plan.size));
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
               for (std::int64_t i = 0; i < count; ++i) {
                 const auto of = [&](std::size_t k) {
                   return At(from[k] + i * plan.inner_stride(k));
                 };
                 out[At(at + i)] = chosen[of(0)] ? x[of(1)] : y[of(2)];
               }
             });
  return StoreQuantised(context, std::move(out), Quantizer::Of(node, context, 7, 8), z);
}

Result<Facts> InferUnary(const NodeFacts& node) {
  TRY(CheckScale(node, 1, 2));
  TRY(CheckScale(node, 3, 4));
  return InferSame(node);
}

/// There are no more than 256 different elements, so each is computed once.
Result<void> RunUnaryOf(const NodeFacts& node, KernelContext& context) {
  const Quantizer from = Quantizer::Of(node, context, 1, 2);
  const Quantizer to = Quantizer::Of(node, context, 3, 4);
  const auto alpha = static_cast<double>(node.attributes.Float("alpha", 0.01F));
  const bool sigmoid = node.op->type == "QLinearSigmoid";
  const ByteTable table = TableOf(node.dtype(0), from, to, [&](double x) {
    return sigmoid ? 1 / (1 + std::exp(-x)) : x < 0 ? alpha * x : x;
  });
  const auto x = context.input(0)->data<std::uint8_t>();
  auto y = context.output(0).data<std::uint8_t>();
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = table[x[i]];
  return {};
}

Result<Facts> InferSoftmax(const NodeFacts& node) {
  TRY(NormalizeAxis(node.attributes.Int("axis", -1), RankOf(node.shape(0))));
  return InferUnary(node);
}

Result<void> RunSoftmax(const NodeFacts& node, KernelContext& context) {
  const Shape& shape = node.shape(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), RankOf(shape))));
  const bool flat = node.attributes.Int("opset", 13) < 13;
  const std::int64_t count = CountOf(shape, axis, flat ? shape.size() : axis + 1);
  const std::int64_t inner = flat ? 1 : CountOf(shape, axis + 1, shape.size());
  Doubles x = RealsOf(*context.input(0), Quantizer::Of(node, context, 1, 2));
  const std::int64_t rows = x.empty() ? 0 : static_cast<std::int64_t>(x.size()) / count;
  for (std::int64_t r = 0; r < rows; ++r) {
    double* row = x.data() + r / inner * count * inner + r % inner;
    double largest = row[0];
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, row[i * inner]);
    for (std::int64_t i = 0; i < count; ++i) {
      row[i * inner] = std::exp(row[i * inner] - largest);
      sum += row[i * inner];
    }
    for (std::int64_t i = 0; i < count; ++i) row[i * inner] /= sum;
  }
  return StoreQuantised(context, std::move(x), Quantizer::Of(node, context, 3, 4),
                        context.output(0));
}

constexpr Kernel kBinary[] = {{.name = "qlinear_binary_vectors", .run = RunBinaryVectors},
                              {.name = "qlinear_binary_reference", .run = RunBinaryOf}};
constexpr Kernel kWhere[] = {{.name = "qlinear_where_reference", .run = RunWhere}};
constexpr Kernel kUnary[] = {{.name = "qlinear_unary_reference", .run = RunUnaryOf}};
constexpr Kernel kSoftmax[] = {{.name = "qlinear_softmax_reference", .run = RunSoftmax}};

constexpr std::string_view kUnarySignature =
    "X:T, X_scale:float, X_zero_point?:T, Y_scale:float, Y_zero_point?:T -> Y:T";

constexpr std::string_view kBinarySignature =
    "A:T, A_scale:float, A_zero_point?:T, B:T, B_scale:float, B_zero_point?:T, C_scale:float, "
    "C_zero_point?:T -> C:T";

}  // namespace

OpList ops_ms_qlinear_elementwise() {
  static constexpr auto kOps = Versions({
      QLinearRow("QLinearAdd", kBinarySignature, "", InferBinaryOf, kBinary),
      QLinearRow("QLinearMul", kBinarySignature, "", InferBinaryOf, kBinary),
      QLinearRow(
          "QLinearWhere",
          "condition:bool, X:T, x_scale:float, x_zero_point:T, Y:T, y_scale:float, y_zero_point:T, "
          "z_scale:float, z_zero_point:T -> Z:T",
          "", InferWhere, kWhere),
      QLinearRow("QLinearLeakyRelu", kUnarySignature, "alpha:float=0.01", InferUnary, kUnary),
      QLinearRow("QLinearSigmoid", kUnarySignature, "", InferUnary, kUnary),
      QLinearRow("QLinearSoftmax",
                 "X:T, X_scale:float, x_zero_point?:T, y_scale:float, y_zero_point:T -> Y:T",
                 "axis:int=-1, opset!:int", InferSoftmax, kSoftmax),
  });
  return kOps;
}

}  // namespace slipway::runtime
