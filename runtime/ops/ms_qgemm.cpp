// SPDX-License-Identifier: Apache-2.0
// com.microsoft: QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// DynamicQuantizeMatMul quantises A to uint8 as DynamicQuantizeLinear does.
#include <algorithm>

#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/integer_product.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/qlinear.h"
#include "runtime/kernels/sgemm.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Input `index` has one element, or one for each of `columns`.
Result<void> CheckPerColumn(const NodeFacts& node, std::size_t index, std::int64_t columns) {
  if (!node.Has(index)) return {};
  const Shape& shape = node.shape(index);
  const std::int64_t count = CountOf(shape, 0, shape.size());
  if (count == 1 || shape == Shape{columns}) return {};
  return Invalid("input ", index, " of ", shape, " is neither one number nor one for each of ",
                 columns, " columns");
}

/// One element, or that of a column.
double PerColumn(const Doubles& values, std::int64_t column) {
  return values.size() == 1 ? values[0] : values[At(column)];
}

/// A matrix, transposed where asked for, in double and less its zero point. A zero point for each
/// column of the product belongs to the columns of the matrix as it is multiplied.
Result<Tensor> Operand(KernelContext& context, const Tensor& x, const Tensor* zero,
                       bool transposed) {
  const Tensor wide = TRY(Converted(context, x, DType::kFloat64));
  const std::int64_t rows = transposed ? x.dim(1) : x.dim(0);
  const std::int64_t columns = transposed ? x.dim(0) : x.dim(1);
  Tensor y = TRY(Tensor::Make(DType::kFloat64, {rows, columns}));
  const Doubles zeros = zero == nullptr ? Doubles{0.0} : DoublesOf(zero);
  const auto from = wide.data<double>();
  auto to = y.data<double>();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      to[At(r * columns + c)] =
          from[At(transposed ? c * rows + r : r * columns + c)] - PerColumn(zeros, c);
    }
  }
  return y;
}

Result<Facts> InferGemm(const NodeFacts& node) {
  const GemmShape shape = TRY(GemmShapeOf(node, 3));
  const Shape y{shape.m, shape.n};
  TRY(CheckScale(node, 1, 2));
  TRY(CheckPerColumn(node, 4, shape.n));
  TRY(CheckPerColumn(node, 5, shape.n));
  TRY(CheckScale(node, 7, 8));
  if (node.Has(8) && !node.Has(7)) return Invalid("y_zero_point is given without y_scale");
  if (node.Has(6)) {
    const Result<Shape> joined = BroadcastShapes(y, node.shape(6));
    if (!joined || *joined != y) {
      return Invalid("C of ", node.shape(6), " does not broadcast to ", y);
    }
  }
  DType dtype = node.Has(7) ? node.dtype(0) : DType::kFloat32;
  if (node.Has(8)) dtype = node.dtype(8);
  return Facts{TensorFacts(dtype, y)};
}

Result<void> RunGemm(const NodeFacts& node, KernelContext& context) {
  const Tensor a = TRY(
      Operand(context, *context.input(0), context.input(2), node.attributes.Int("transA", 0) != 0));
  const Tensor b = TRY(Operand(context, *context.input(3), node.Has(5) ? context.input(5) : nullptr,
                               node.attributes.Int("transB", 0) != 0));
  const Tensor product = TRY(Product(context, a, b));
  const double a_scale = DoublesOf(context.input(1))[0];
  const Doubles b_scale = DoublesOf(context.input(4));
  const auto alpha = static_cast<double>(node.attributes.Float("alpha", 1));
  const Doubles c = node.Has(6) ? DoublesOf(context.input(6)) : Doubles{0};
  const BroadcastPlan plan =
      PlanBroadcast(product.shape(), {node.Has(6) ? node.shape(6) : Shape{}});
  Doubles y(At(product.size()));
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
               for (std::int64_t i = at; i < at + count; ++i) {
                 const double sum = product.data<double>()[At(i)] +
                                    c[At(from[0] + (i - at) * plan.inner_stride(0))];
                 y[At(i)] = sum * alpha * a_scale * PerColumn(b_scale, i % product.dim(1));
               }
             });
  if (!node.Has(7)) return StoreDoubles(context, y, context.output(0));
  return StoreQuantised(context, std::move(y), Quantizer::Of(node, context, 7, 8),
                        context.output(0));
}

/// The product of two centred operands: exact, or rounded as float32 is.
Result<Tensor> ProductOf(KernelContext& context, const Tensor& a, const Tensor& b, bool blas) {
  if (!blas) return Product(context, a, b);
  const Tensor narrow_a = TRY(Converted(context, a, DType::kFloat32));
  const Tensor narrow_b = TRY(Converted(context, b, DType::kFloat32));
  const MatMulShape shape = TRY(MatMulShapeOf(a.shape(), b.shape()));
  Tensor product = TRY(Tensor::Make(DType::kFloat32, shape.output));
  TRY(RunBatchedSgemm({.a = &narrow_a, .b = &narrow_b, .shape = shape}, product));
  return Converted(context, product, DType::kFloat64);
}

/// Where the operators on float results have their inputs; 0 where there is none.
struct Places {
  std::size_t a_scale, b_scale, a_zero, b_zero, bias;
};

Places PlacesOf(const NodeFacts& node) {
  if (node.op->type == "DynamicQuantizeMatMul") return {0, 2, 0, 3, 4};
  return {2, 3, 4, 5, 6};
}

Result<Facts> InferFloat(const NodeFacts& node) {
  const Places at = PlacesOf(node);
  const MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), node.shape(1)));
  if (node.shape(1).size() < 2) return Invalid("B of ", node.shape(1), " is no matrix");
  TRY(CheckPerColumn(node, at.b_scale, shape.n));
  TRY(CheckPerColumn(node, at.b_zero, shape.n));
  if (at.a_scale != 0) TRY(CheckScale(node, at.a_scale, at.a_zero));
  if (node.Has(at.bias) && node.shape(at.bias) != Shape{shape.n}) {
    return Invalid("bias of ", node.shape(at.bias), " is not [", shape.n, "]");
  }
  return Facts{TensorFacts(node.dtype(at.b_scale), shape.output)};
}

/// Scales the product of two centred operands and adds the bias.
Result<void> Finish(const NodeFacts& node, KernelContext& context, double a_scale,
                    const Tensor& product) {
  const Places at = PlacesOf(node);
  const std::int64_t columns = node.shape(1).back();
  const Doubles b_scale = DoublesOf(context.input(at.b_scale));
  const Doubles bias = node.Has(at.bias) ? DoublesOf(context.input(at.bias)) : Doubles{0};
  Doubles y(At(product.size()));
  for (std::int64_t i = 0; i < product.size(); ++i) {
    const std::int64_t column = i % columns;
    y[At(i)] = product.data<double>()[At(i)] * a_scale * PerColumn(b_scale, column) +
               PerColumn(bias, column);
  }
  return StoreDoubles(context, y, context.output(0));
}

template <bool blas>
Result<void> RunToFloat(const NodeFacts& node, KernelContext& context) {
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor a = TRY(Centered(context, *context.input(0), optional(4), true));
  const Tensor b = TRY(Centered(context, *context.input(1), optional(5), false));
  const Tensor product = TRY(ProductOf(context, a, b, blas));
  return Finish(node, context, DoublesOf(context.input(2))[0], product);
}

template <bool blas>
Result<void> RunDynamic(const NodeFacts& node, KernelContext& context) {
  const auto x = context.input(0)->data<float>();
  const DynamicScale dynamic = DynamicScaleOf(x);
  Tensor a = TRY(Tensor::Make(DType::kFloat64, context.input(0)->shape()));
  auto quantised = a.data<double>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    quantised[i] = dynamic.Quantised(x[i]) - dynamic.zero;
  }
  const Tensor b =
      TRY(Centered(context, *context.input(1), node.Has(3) ? context.input(3) : nullptr, false));
  const Tensor product = TRY(ProductOf(context, a, b, blas));
  return Finish(node, context, static_cast<double>(dynamic.scale), product);
}

constexpr Kernel kGemm[] = {{.name = "qgemm_reference", .run = RunGemm}};
constexpr Kernel kToFloat[] = {
    {.name = "matmul_integer_to_float_blas", .run = RunToFloat<true>},
    {.name = "matmul_integer_to_float_reference", .run = RunToFloat<false>}};
constexpr Kernel kDynamic[] = {
    {.name = "dynamic_quantize_matmul_blas", .run = RunDynamic<true>},
    {.name = "dynamic_quantize_matmul_reference", .run = RunDynamic<false>}};

constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr TypeRule kGemmTypes[] = {
    {"TA", kBytes}, {"TB", kBytes}, {"TYZ", kBytes}, {"TY", kBytes | kFloat32Type}};
constexpr TypeRule kToFloatTypes[] = {
    {"T1", kBytes}, {"T2", kBytes}, {"T3", Types({DType::kFloat32, DType::kFloat16})}};

}  // namespace

OpList ops_ms_qgemm() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "QGemm",
            .domain = "com.microsoft",
            .signature =
                "A:TA, a_scale:float, a_zero_point:TA, B:TB, b_scale:float, b_zero_point:TB, "
                "C?:int32, y_scale?:float, y_zero_point?:TYZ -> Y:TY",
            .types = kGemmTypes,
            .attributes = "alpha:float=1.0, transA:int=0, transB:int=0",
            .infer = InferGemm,
            .kernels = kGemm},
      OpDef{.type = "MatMulIntegerToFloat",
            .domain = "com.microsoft",
            .signature = "A:T1, B:T2, a_scale:T3, b_scale:T3, a_zero_point?:T1, b_zero_point?:T2, "
                         "bias?:T3 -> Y:T3",
            .types = kToFloatTypes,
            .infer = InferFloat,
            .kernels = kToFloat},
      OpDef{.type = "DynamicQuantizeMatMul",
            .domain = "com.microsoft",
            .signature = "A:float, B:T2, b_scale:float, b_zero_point?:T2, bias?:float -> Y:float",
            .types = kT1T2<kFloat32Type, kBytes>,
            .infer = InferFloat,
            .kernels = kDynamic},
  });
  return kOps;
}

}  // namespace slipway::runtime
