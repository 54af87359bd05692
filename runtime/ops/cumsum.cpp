// SPDX-License-Identifier: Apache-2.0
// CumSum (opsets 11, 14), CumProd (26).
// Spec: https://onnx.ai/onnx/operators/onnx__CumSum.html, onnx__CumProd.html
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
void Accumulate(const T* x, T* y, std::int64_t count, std::int64_t step, bool exclusive) {
  auto sum = F::template Start<T>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto next = F::Step(sum, static_cast<decltype(sum)>(x[i * step]));
    y[i * step] = static_cast<T>(exclusive ? sum : next);
    sum = next;
  }
}

template <class F>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const auto axis = At(TRY(NormalizeAxis(IntsOf(context.input(1))[0], x.rank())));
  const bool exclusive = node.attributes.Int("exclusive", 0) != 0;
  const bool reverse = node.attributes.Int("reverse", 0) != 0;
  const std::int64_t count = x.shape()[axis];
  const std::int64_t inner = CountOf(x.shape(), axis + 1, x.shape().size());
  const std::int64_t rows = count == 0 ? 0 : x.size() / count;
  return Dispatch(decltype(FloatList() + WideIntList()){}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    Pause pause;
    for (std::int64_t row = 0; row < rows; ++row) {
      if (pause.MustStop(4 * count)) return;
      std::int64_t at = row / inner * count * inner + row % inner;
      if (reverse) at += (count - 1) * inner;
      Accumulate<F>(x.data<T>().data() + at, y.data<T>().data() + at, count,
                    reverse ? -inner : inner, exclusive);
    }
  });
}

constexpr Kernel kSum[] = {{.name = "cum_sum", .run = Run<SumOf>}};
constexpr Kernel kProduct[] = {{.name = "cum_prod", .run = Run<ProductOf>}};

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
