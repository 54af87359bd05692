// SPDX-License-Identifier: Apache-2.0
// MatMul (opsets 1, 9, 13), Gemm (1, 6, 7, 9, 11, 13).
// Spec: https://onnx.ai/onnx/operators/onnx__MatMul.html, onnx__Gemm.html
#include "runtime/kernels/matmul.h"

#include "runtime/bounds.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/matvec.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

using MatMulList = decltype(FloatList() + WideIntList());

/// Sum of a[i * a_step] * b[i * b_step].
template <class T>
auto Dot(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, std::int64_t count) {
  if constexpr (std::is_integral_v<T>) {
    T sum = 0;
    for (std::int64_t i = 0; i < count; ++i)
      sum = WrapAdd(sum, WrapMul(a[i * a_step], b[i * b_step]));
    return sum;
  } else {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += static_cast<double>(a[i * a_step]) * static_cast<double>(b[i * b_step]);
    }
    return sum;
  }
}

Result<Facts> InferMatMul(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(0), TRY(MatMulShapeOf(node.shape(0), node.shape(1))).output)};
}

Result<void> RunMatMul(const NodeFacts& node, KernelContext& context) {
  const MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), node.shape(1)));
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const BroadcastPlan plan = PlanBroadcast(
      shape.batch,
      {Shape(shape.a.begin(), shape.a.end() - 2), Shape(shape.b.begin(), shape.b.end() - 2)});
  const std::int64_t m = shape.m;
  const std::int64_t k = shape.k;
  const std::int64_t n = shape.n;
  return Dispatch(MatMulList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* a = context.input(0)->data<T>().data();
    const T* b = context.input(1)->data<T>().data();
    T* out = y.data<T>().data();
    context.ParallelFor(plan.size * m, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> from(2);
      Pause pause;
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t batch = row / m;
        plan.Locate(batch / plan.inner(), from);
        const std::int64_t within = batch % plan.inner();
        const T* a_row = a + (from[0] + within * plan.inner_stride(0)) * m * k + row % m * k;
        const T* b_all = b + (from[1] + within * plan.inner_stride(1)) * k * n;
        for (std::int64_t j = 0; j < n; ++j) {
          if (pause.MustStop(1 + k)) return;
          out[row * n + j] = static_cast<T>(Dot(a_row, 1, b_all + j, n, k));
        }
      }
    });
  });
}

Result<Facts> InferGemm(const NodeFacts& node) {
  const GemmShape shape = TRY(GemmShapeOf(node));
  const Shape y{shape.m, shape.n};
  if (node.Has(2)) {
    const Shape& c = node.shape(2);
    const bool broadcast = node.op->since >= 7 || node.attributes.Int("broadcast", 0) != 0;
    const Result<Shape> joined = BroadcastShapes(y, c);
    if (!joined || *joined != y || (!broadcast && c != y)) {
      return Invalid("C of ", c, " does not broadcast to ", y);
    }
  }
  return Facts{TensorFacts(node.dtype(0), y)};
}

Result<void> RunGemm(const NodeFacts& node, KernelContext& context) {
  const GemmShape g = TRY(GemmShapeOf(node));
  Tensor& y = context.output(0);
  const Tensor* c = node.Has(2) ? context.input(2) : nullptr;
  const BroadcastPlan plan = PlanBroadcast(y.shape(), {c == nullptr ? Shape{} : c->shape()});
  const double alpha = node.attributes.Float("alpha", 1);
  const double beta = node.attributes.Float("beta", 1);
  const std::int64_t a_row = g.trans_a ? 1 : g.k;
  const std::int64_t a_step = g.trans_a ? g.m : 1;
  const std::int64_t b_column = g.trans_b ? g.k : 1;
  const std::int64_t b_step = g.trans_b ? 1 : g.n;
  return Dispatch(MatMulList{}, node.dtype(0), [&](auto tag) {
    using T = typename decltype(tag)::type;
    using S = std::conditional_t<std::is_integral_v<T>, T, double>;
    const T* a = context.input(0)->data<T>().data();
    const T* b = context.input(1)->data<T>().data();
    const T* added = c == nullptr ? nullptr : c->data<T>().data();
    T* out = y.data<T>().data();
    const auto scaled = [](double factor, S value) {
      if constexpr (std::is_integral_v<T>) {
        if (factor == 1) return value;
      }
      return static_cast<S>(factor * static_cast<double>(value));
    };
    context.ParallelFor(y.size(), 1, [&](std::int64_t begin, std::int64_t end) {
      ForEachRun(plan, begin, end,
                 [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                   for (std::int64_t i = 0; i < count; ++i) {
                     const std::int64_t row = (at + i) / g.n;
                     const std::int64_t column = (at + i) % g.n;
                     S sum = scaled(
                         alpha, Dot(a + row * a_row, a_step, b + column * b_column, b_step, g.k));
                     if (added != nullptr) {
                       const T addend = added[from[0] + i * plan.inner_stride(0)];
                       sum = static_cast<S>(sum + scaled(beta, static_cast<S>(addend)));
                     }
                     out[at + i] = static_cast<T>(sum);
                   }
                 });
    });
  });
}

constexpr Kernel kMatMul[] = {
    {.name = "matmul_vector", .declines = DeclineMatMulVector, .prepare = PrepareMatMulVector},
    {.name = "matmul_small", .declines = DeclineMatMulSmall, .prepare = PrepareMatMulSmall},
    {.name = "matmul_column", .declines = DeclineMatMulColumn, .prepare = PrepareMatMulColumn},
    {.name = "matmul_dnnl", .declines = DeclineMatMulDnnl, .prepare = PrepareMatMulDnnl},
    {.name = "matmul_dnnl_widened",
     .declines = DeclineWidened<DeclineMatMulDnnl>,
     .prepare = PrepareWidened<PrepareMatMulDnnl>},
    {.name = "matmul_reference", .run = RunMatMul}};
constexpr Kernel kGemm[] = {
    {.name = "gemm_vector", .declines = DeclineGemmVector, .prepare = PrepareGemmVector},
    {.name = "gemm_small", .declines = DeclineGemmSmall, .prepare = PrepareMatMulSmall},
    {.name = "gemm_column", .declines = DeclineGemmColumn, .prepare = PrepareGemmColumn},
    {.name = "gemm_dnnl", .declines = DeclineGemmDnnl, .prepare = PrepareGemmDnnl},
    {.name = "gemm_dnnl_widened",
     .declines = DeclineWidened<DeclineGemmDnnl>,
     .prepare = PrepareWidened<PrepareGemmDnnl>},
    {.name = "gemm_blas", .declines = DeclineGemmBlas, .run = RunGemmBlas},
    {.name = "gemm_reference", .run = RunGemm}};

consteval OpDef MatMul(int since, std::span<const TypeRule> types) {
  return {.type = "MatMul",
          .since = since,
          .signature = "A:T, B:T -> Y:T",
          .types = types,
          .infer = InferMatMul,
          .kernels = kMatMul};
}

consteval OpDef Gemm(int since, std::span<const TypeRule> types) {
  return {.type = "Gemm",
          .since = since,
          .signature = since < 11 ? "A:T, B:T, C:T -> Y:T" : "A:T, B:T, C?:T -> Y:T",
          .types = types,
          .attributes = since < 7
                            ? "alpha:float=1.0, beta:float=1.0, broadcast:int=0, transA:int=0, "
                              "transB:int=0"
                            : "alpha:float=1.0, beta:float=1.0, transA:int=0, transB:int=0",
          .infer = InferGemm,
          .kernels = kGemm};
}

}  // namespace

OpList ops_matmul() {
  static constexpr auto kOps = Versions({
      MatMul(1, kT<kFloatTypes>),
      MatMul(9, kT<kWideNumbers>),
      MatMul(13, kT<kWideNumbersB>),
      Gemm(1, kT<kFloatTypes>),
      Gemm(6, kT<kFloatTypes>),
      Gemm(7, kT<kFloatTypes>),
      Gemm(9, kT<kWideNumbers>),
      Gemm(11, kT<kWideNumbers>),
      Gemm(13, kT<kWideNumbersB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
