// SPDX-License-Identifier: Apache-2.0
// ReduceSum, ReduceMean, ReduceProd, ReduceMax, ReduceMin, ReduceL1, ReduceL2, ReduceLogSum,
// ReduceLogSumExp, ReduceSumSquare: opsets 1, 11, 12, 13, 18, 20, 28; axes are an attribute, from
// 18 (ReduceSum: 13) an input.
// Spec: https://onnx.ai/onnx/operators/onnx__ReduceSum.html and the pages of the others.
#include "runtime/kernels/reduce.h"

#include <numeric>
#include <optional>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/reduce_floats.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

bool AxesAreInput(const NodeFacts& node) {
  return node.op->since >= 18 || (node.op->type == "ReduceSum" && node.op->since >= 13);
}

/// Which dimensions are reduced; `axes` are as given, possibly none.
Result<std::vector<bool>> Reduced(const NodeFacts& node, std::int64_t rank,
                                  const std::vector<std::int64_t>& axes) {
  if (axes.empty() && node.attributes.Int("noop_with_empty_axes", 0) == 0) {
    return std::vector<bool>(At(rank), true);
  }
  std::vector<bool> reduced(At(rank), false);
  for (const std::int64_t axis : axes) reduced[At(TRY(NormalizeAxis(axis, rank)))] = true;
  return reduced;
}

Shape ReducedShape(const NodeFacts& node, const Shape& shape, const std::vector<bool>& reduced) {
  const bool keep = node.attributes.Int("keepdims", 1) != 0;
  Shape out;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!reduced[d]) {
      out.push_back(shape[d]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  return out;
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "axes"));
  if (DependsOnData(node, 1)) return Facts{TensorFacts(node.dtype(0))};
  std::vector<std::int64_t> axes = AxesAreInput(node)
                                       ? ConstantInts(node, 1).value_or(std::vector<std::int64_t>{})
                                       : node.attributes.Ints("axes", {});
  const Shape& shape = node.shape(0);
  const auto reduced = TRY(Reduced(node, RankOf(shape), axes));
  return Facts{TensorFacts(node.dtype(0), ReducedShape(node, shape, reduced))};
}

/// Which dimensions a run reduces.
Result<std::vector<bool>> ReducedNow(const NodeFacts& node, KernelContext& context) {
  std::vector<std::int64_t> axes;
  if (!AxesAreInput(node)) axes = node.attributes.Ints("axes", {});
  if (AxesAreInput(node) && node.Has(1)) axes = IntsOf(context.input(1));
  return Reduced(node, context.input(0)->rank(), axes);
}

std::string DeclineSimd(const NodeFacts& node) {
  return node.dtype(0) == DType::kFloat32 ? "" : "the input is not float32";
}

template <class F>
Result<void> RunSimd(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto reduced = TRY(ReducedNow(node, context));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), ReducedShape(node, x.shape(), reduced)));
  if (y->size() == 0) return {};
  float* const to = y->data<float>().data();
  if (const auto box = ReducedBoxOf(x.shape(), reduced)) {
    ReduceFloats<F>(context, *box, x.data<float>().data(), to);
    return {};
  }
  const Tensor rows = TRY(ReducedInside(context, x, reduced));
  const ReducedBox box{.outer = y->size(), .count = x.size() / y->size()};
  ReduceFloats<F>(context, box, rows.data<float>().data(), to);
  return {};
}

template <class F, class List>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto reduced = TRY(ReducedNow(node, context));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), ReducedShape(node, x.shape(), reduced)));
  const Tensor rows = TRY(ReducedInside(context, x, reduced));
  const std::int64_t count = y->size() == 0 ? 0 : x.size() / y->size();
  return Dispatch(List{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    ReduceRows<F, T>(context, rows.data<T>().data(), y->data<T>().data(), y->size(), count);
  });
}

using WideList = decltype(FloatList() + WideIntList());
using MaxList = decltype(WideList() + TypeList<std::int8_t, std::uint8_t, bool>());

template <class F, class List = WideList>
constexpr Kernel kKernels[] = {{.name = "reduce_simd", .declines = DeclineSimd, .run = RunSimd<F>},
                               {.name = "reduce", .run = Run<F, List>}};

constexpr std::string_view kAttributes1 = "axes:ints, keepdims:int=1";
constexpr std::string_view kAttributes18 = "keepdims:int=1, noop_with_empty_axes:int=0";

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels, bool axes_input) {
  return {.type = type,
          .since = since,
          .signature = axes_input ? "data:T, axes?:int64 -> reduced:T" : "data:T -> reduced:T",
          .types = types,
          .attributes = axes_input ? kAttributes18 : kAttributes1,
          .infer = Infer,
          .kernels = kernels};
}

consteval std::array<OpDef, 4> Rows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions({Row(type, 1, kT<kWideNumbers>, kernels, false),
                   Row(type, 11, kT<kWideNumbers>, kernels, false),
                   Row(type, 13, kT<kWideNumbersB>, kernels, false),
                   Row(type, 18, kT<kWideNumbersB>, kernels, true)});
}

/// From opset 28 for floats alone.
consteval std::array<OpDef, 5> LogRows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions({Row(type, 1, kT<kWideNumbers>, kernels, false),
                   Row(type, 11, kT<kWideNumbers>, kernels, false),
                   Row(type, 13, kT<kWideNumbersB>, kernels, false),
                   Row(type, 18, kT<kWideNumbersB>, kernels, true),
                   Row(type, 28, kT<kFloatTypesB>, kernels, true)});
}

constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr DTypeSet kMax12 = kWideNumbers | kBytes;
constexpr DTypeSet kMax13 = kWideNumbersB | kBytes;
constexpr DTypeSet kMax20 = kMax13 | kBoolType;

consteval std::array<OpDef, 6> MaxRows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions(
      {Row(type, 1, kT<kWideNumbers>, kernels, false),
       Row(type, 11, kT<kWideNumbers>, kernels, false), Row(type, 12, kT<kMax12>, kernels, false),
       Row(type, 13, kT<kMax13>, kernels, false), Row(type, 18, kT<kMax13>, kernels, true),
       Row(type, 20, kT<kMax20>, kernels, true)});
}

constexpr auto& kSum = kKernels<SumOf>;

}  // namespace

OpList ops_reduce() {
  static constexpr auto kOps =
      Versions({Row("ReduceSum", 1, kT<kWideNumbers>, kSum, false),
                Row("ReduceSum", 11, kT<kWideNumbers>, kSum, false),
                Row("ReduceSum", 13, kT<kWideNumbersB>, kSum, true)}) +
      Rows("ReduceMean", kKernels<MeanOf>) + Rows("ReduceProd", kKernels<ProductOf>) +
      Rows("ReduceL1", kKernels<L1Of>) + Rows("ReduceL2", kKernels<L2Of>) +
      Rows("ReduceSumSquare", kKernels<SumSquareOf>) + LogRows("ReduceLogSum", kKernels<LogSumOf>) +
      LogRows("ReduceLogSumExp", kKernels<LogSumExpOf>) +
      MaxRows("ReduceMax", kKernels<MaxOf, MaxList>) +
      MaxRows("ReduceMin", kKernels<MinOf, MaxList>);
  return kOps;
}

}  // namespace slipway::runtime
