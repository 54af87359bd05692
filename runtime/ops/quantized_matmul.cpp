// SPDX-License-Identifier: Apache-2.0
// MatMulInteger (opset 10), QLinearMatMul (10, 21); slipway.QLinearMatMul, which adds a row to the
// sums. The pass `join_quantized` puts that into plans; models cannot name its domain.
// Spec: https://onnx.ai/onnx/operators/onnx__MatMulInteger.html, onnx__QLinearMatMul.html
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/integer_product.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/minifloat.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/quantized_product.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferInteger(const NodeFacts& node) {
  return Facts{TensorFacts(DType::kInt32, TRY(MatMulShapeOf(node.shape(0), node.shape(1))).output)};
}

Result<void> RunInteger(const NodeFacts& node, KernelContext& context) {
  const auto zero = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor a = TRY(Centered(context, *context.input(0), zero(2), true));
  const Tensor b = TRY(Centered(context, *context.input(1), zero(3), false));
  return ConvertElements(context, TRY(Product(context, a, b)), context.output(0));
}

Result<Facts> InferQLinear(const NodeFacts& node) {
  Shape y = TRY(MatMulShapeOf(node.shape(0), node.shape(3))).output;
  if (node.Has(8) && (y.empty() || node.shape(8) != Shape{y.back()})) {
    return Invalid("C of ", node.shape(8), " is no row of ", y);
  }
  return Facts{TensorFacts(node.dtype(7), std::move(y))};
}

Result<void> RunQLinear(const NodeFacts& node, KernelContext& context) {
  const Tensor a = TRY(Centered(context, *context.input(0), context.input(2), true));
  const Tensor b = TRY(Centered(context, *context.input(3), context.input(5), false));
  Tensor product = TRY(Product(context, a, b));
  if (node.Has(8)) {
    const std::vector<std::int64_t> row = IntsOf(context.input(8));
    const auto sums = product.data<double>();
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += static_cast<double>(row[i % row.size()]);
  }
  const Tensor a_scale = TRY(Converted(context, *context.input(1), DType::kFloat64));
  const Tensor b_scale = TRY(Converted(context, *context.input(4), DType::kFloat64));
  const Tensor y_scale = TRY(Converted(context, *context.input(6), DType::kFloat64));
  const Tensor y_zero = TRY(Converted(context, *context.input(7), DType::kFloat64));
  const std::vector<Shape> shapes{ParameterShape(a_scale.shape(), true), b_scale.shape(),
                                  ParameterShape(y_scale.shape(), true),
                                  ParameterShape(y_zero.shape(), true)};
  for (const Shape& shape : shapes) {
    const Result<Shape> joined = BroadcastShapes(product.shape(), shape);
    if (!joined || *joined != product.shape()) {
      return Invalid("a scale or zero point of ", shape, " does not fit ", product.shape());
    }
  }
  Tensor& y = context.output(0);
  const bool floating = IsMiniFloat(y.dtype());
  const IntegerRange range = floating ? IntegerRange{} : RangeOfInteger(y.dtype());
  const BroadcastPlan plan = PlanBroadcast(product.shape(), shapes);
  double* out = product.data<double>().data();
  const double* from[] = {a_scale.data<double>().data(), b_scale.data<double>().data(),
                          y_scale.data<double>().data(), y_zero.data<double>().data()};
  ForEachRun(plan, 0, plan.size,
             [&](std::int64_t at, const std::vector<std::int64_t>& offset, std::int64_t count) {
               for (std::int64_t i = 0; i < count; ++i) {
                 const auto value = [&](std::size_t k) {
                   return from[k][offset[k] + i * plan.inner_stride(k)];
                 };
                 const double scaled = out[at + i] * (value(0) * value(1) / value(2));
                 out[at + i] = floating ? scaled + value(3) : QuantizeOne(scaled, value(3), range);
               }
             });
  return ConvertElements(context, product, y);
}

constexpr Kernel kInteger[] = {{.name = "matmul_integer_dot",
                                .declines = DeclineMatMulIntegerDot,
                                .prepare = PrepareMatMulIntegerDot},
                               {.name = "matmul_integer_packed",
                                .declines = DeclineMatMulInteger,
                                .prepare = PrepareMatMulInteger},
                               {.name = "matmul_integer_reference", .run = RunInteger}};
constexpr Kernel kQLinear[] = {{.name = "qlinear_matmul_dot",
                                .declines = DeclineQLinearMatMulDot,
                                .prepare = PrepareQLinearMatMulDot},
                               {.name = "qlinear_matmul_packed",
                                .declines = DeclineQLinearMatMul,
                                .prepare = PrepareQLinearMatMul},
                               {.name = "qlinear_matmul_reference", .run = RunQLinear}};

constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr DTypeSet kBytes21 = kBytes | kFloat8Types;
constexpr DTypeSet kScales = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});
constexpr TypeRule kIntegerTypes[] = {
    {"T1", kBytes}, {"T2", kBytes}, {"T3", Types({DType::kInt32})}};
constexpr TypeRule kRules10[] = {{"T1", kBytes}, {"T2", kBytes}, {"T3", kBytes}};
constexpr TypeRule kRules21[] = {
    {"TS", kScales}, {"T1", kBytes21}, {"T2", kBytes21}, {"T3", kBytes21}};

consteval OpDef Integer() {
  return {.type = "MatMulInteger",
          .since = 10,
          .signature = "A:T1, B:T2, a_zero_point?:T1, b_zero_point?:T2 -> Y:T3",
          .types = kIntegerTypes,
          .infer = InferInteger,
          .kernels = kInteger};
}

consteval OpDef QLinear(std::string_view domain, int since, std::string_view signature,
                        std::span<const TypeRule> types) {
  return {.type = "QLinearMatMul",
          .domain = domain,
          .since = since,
          .signature = signature,
          .types = types,
          .infer = InferQLinear,
          .kernels = kQLinear};
}

constexpr std::string_view kSignature10 =
    "a:T1, a_scale:float, a_zero_point:T1, b:T2, b_scale:float, b_zero_point:T2, y_scale:float, "
    "y_zero_point:T3 -> y:T3";
constexpr std::string_view kSignatureOfRow =
    "a:T1, a_scale:float, a_zero_point:T1, b:T2, b_scale:float, b_zero_point:T2, y_scale:float, "
    "y_zero_point:T3, C?:int32 -> y:T3";
constexpr std::string_view kSignature21 =
    "a:T1, a_scale:TS, a_zero_point:T1, b:T2, b_scale:TS, b_zero_point:T2, y_scale:TS, "
    "y_zero_point:T3 -> y:T3";

}  // namespace

OpList ops_quantized_matmul() {
  static constexpr auto kOps = Versions({
      Integer(),
      QLinear("", 10, kSignature10, kRules10),
      QLinear("", 21, kSignature21, kRules21),
      QLinear("slipway", 1, kSignatureOfRow, kRules10),
  });
  return kOps;
}

}  // namespace slipway::runtime
