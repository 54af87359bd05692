// SPDX-License-Identifier: Apache-2.0
// CumSum (opsets 11, 14), CumProd (26).
// Spec: https://onnx.ai/onnx/operators/onnx__CumSum.html, onnx__CumProd.html
#include <algorithm>
#include <array>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  if (CountOf(node.shape(1), 0, node.shape(1).size()) != 1) {
    return Invalid("input `axis` of ", node.shape(1), " is not one number");
  }
  if (const auto axis = ConstantInts(node, 1)) {
    TRY(NormalizeAxis((*axis)[0], RankOf(node.shape(0))));
  }
  return InferSame(node);
}

template <class F, class T>
void AccumulateRow(const T* x, T* y, std::int64_t count, std::int64_t step, bool exclusive) {
  auto sum = F::template Start<T>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto next = F::Step(sum, static_cast<decltype(sum)>(x[i * step]));
    y[i * step] = static_cast<T>(exclusive ? sum : next);
    sum = next;
  }
}

/// Columns that go along an axis together, at most.
constexpr std::int64_t kTogether = 128;

/// x and y: `count` lines `step` apart, of which `columns` numbers are taken.
template <class F, bool exclusive, class T>
void Accumulate(const T* x, T* y, std::int64_t count, std::int64_t step, std::int64_t columns) {
  if (columns == 1) return AccumulateRow<F>(x, y, count, step, exclusive);
  using A = decltype(F::template Start<T>());
  std::array<A, kTogether> sums;
  sums.fill(F::template Start<T>());
  Pause pause;
  for (std::int64_t i = 0; i < count; ++i, x += step, y += step) {
    if (pause.MustStop(4 * columns)) return;
    for (std::int64_t c = 0; c < columns; ++c) {
      const A next = F::Step(sums[At(c)], static_cast<A>(x[c]));
      y[c] = static_cast<T>(exclusive ? sums[At(c)] : next);
      sums[At(c)] = next;
    }
  }
}

/// `kColumns` numbers are taken at once.
template <class F, std::int64_t kColumns>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const auto axis = At(TRY(NormalizeAxis(IntsOf(context.input(1))[0], x.rank())));
  const bool exclusive = node.attributes.Int("exclusive", 0) != 0;
  const bool reverse = node.attributes.Int("reverse", 0) != 0;
  const std::int64_t count = x.shape()[axis];
  const std::int64_t inner = CountOf(x.shape(), axis + 1, x.shape().size());
  if (x.size() == 0) return {};
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns;
  const std::int64_t pieces = x.size() / (count * inner) * blocks;
  const std::int64_t grain =
      std::max<std::int64_t>(1, (16 << 10) / (count * std::min(inner, kColumns)));
  return Dispatch(decltype(FloatList() + WideIntList()){}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* const from = x.data<T>().data();
    T* const to = y.data<T>().data();
    context.ParallelFor(pieces, grain, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
        const std::int64_t column = i % blocks * kColumns;
        std::int64_t at = i / blocks * count * inner + column;
        if (reverse) at += (count - 1) * inner;
        const auto accumulate = exclusive ? Accumulate<F, true, T> : Accumulate<F, false, T>;
        accumulate(from + at, to + at, count, reverse ? -inner : inner,
                   std::min(kColumns, inner - column));
      }
    });
  });
}

std::string DeclineColumns(const NodeFacts& node) {
  const auto axis = ConstantInts(node, 1);
  if (!axis) return "";
  const Shape& x = node.shape(0);
  const auto at = NormalizeAxis((*axis)[0], RankOf(x));
  if (!at) return at.error().message;
  return CountOf(x, At(*at) + 1, x.size()) == 1 ? "numbers along the axis lie together" : "";
}

constexpr Kernel kSum[] = {
    {.name = "cum_sum_columns", .declines = DeclineColumns, .run = Run<SumOf, kTogether>},
    {.name = "cum_sum", .run = Run<SumOf, 1>}};
constexpr Kernel kProduct[] = {
    {.name = "cum_prod_columns", .declines = DeclineColumns, .run = Run<ProductOf, kTogether>},
    {.name = "cum_prod", .run = Run<ProductOf, 1>}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "x:T, axis:T2 -> y:T",
          .types = types,
          .attributes = "exclusive:int=0, reverse:int=0",
          .infer = Infer,
          .kernels = kernels};
}

constexpr DTypeSet kSum11 = {kWideNumbers.bits & ~Types({DType::kFloat16}).bits};
template <DTypeSet T>
constexpr TypeRule kRules[] = {{"T", T}, {"T2", kIndexTypes}};

}  // namespace

OpList ops_cumsum() {
  static constexpr auto kOps = Versions({
      Row("CumSum", 11, kRules<kSum11>, kSum),
      Row("CumSum", 14, kRules<kWideNumbersB>, kSum),
      Row("CumProd", 26, kRules<kWideNumbersB>, kProduct),
  });
  return kOps;
}

}  // namespace slipway::runtime
