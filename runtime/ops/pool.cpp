// SPDX-License-Identifier: Apache-2.0
// MaxPool (opsets 1, 8, 10, 11, 12, 22), AveragePool (1, 7, 10, 11, 19, 22), LpPool (1, 2, 11,
// 18, 22) over any number of spatial dimensions.
// Spec: https://onnx.ai/onnx/operators/onnx__MaxPool.html and the pages of the others.
// Windows that would begin in the padding at the end are left out, in every version. The largest
// number is the first of its window where that is no number, and never one after it that is none:
// so the standard's evaluator has it (onnx.reference, MaxPool with strides).
#include "runtime/kernels/pool.h"

#include <cmath>
#include <limits>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const Window window = TRY(PoolWindow(node));
  const Shape& x = node.shape(0);
  const Shape y = WithSpatial(x[0], x[1], window.output);
  return OutputFacts(node, {TensorFacts(node.dtype(0), y), TensorFacts(DType::kInt64, y)});
}

/// Calls body(taps, output position, padded count) for each position, on several threads.
template <class Body>
void ForEachWindow(KernelContext& context, const Window& window, const Body& body) {
  if (context.output(0).size() == 0) return;
  context.ParallelFor(window.output_size(), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Tap> taps;
    for (std::int64_t at = begin; at < end; ++at) {
      window.Taps(at, taps);
      body(taps, at);
    }
  });
}

/// The place of a row-major spatial position when the first dimension varies fastest.
std::int64_t ColumnMajor(const Shape& dims, std::int64_t at) {
  std::int64_t place = 0;
  for (std::size_t d = dims.size(); d-- > 0;) {
    place = place * dims[d] + at % dims[d];
    at /= dims[d];
  }
  return place;
}

template <class T>
void MaxWindows(const NodeFacts& node, KernelContext& context, const Window& window) {
  const Shape& shape = node.shape(0);
  const std::int64_t planes = shape[0] * shape[1];
  const std::int64_t in_size = window.input_size();
  const std::int64_t out_size = window.output_size();
  const T* x = context.input(0)->data<T>().data();
  T* y = context.output(0).data<T>().data();
  std::int64_t* indices = Wanted(node, 1) ? context.output(1).data<std::int64_t>().data() : nullptr;
  const bool column_major = node.attributes.Int("storage_order", 0) != 0;
  ForEachWindow(context, window, [&](const std::vector<Tap>& taps, std::int64_t at) {
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      const T* in = x + plane * in_size;
      std::int64_t best = taps.empty() ? -1 : taps[0].input;
      for (const Tap& tap : taps) {
        if (static_cast<Compute<T>>(in[tap.input]) > static_cast<Compute<T>>(in[best])) {
          best = tap.input;
        }
      }
      const std::int64_t out = plane * out_size + at;
      using L = std::numeric_limits<Compute<T>>;
      const Compute<T> none = L::has_infinity ? -L::infinity() : L::lowest();
      y[out] = best < 0 ? static_cast<T>(none) : in[best];
      if (indices == nullptr) continue;
      const std::int64_t place = column_major ? ColumnMajor(window.input, best) : best;
      indices[out] = best < 0 ? -1 : plane * in_size + place;
    }
  });
}

Result<void> RunMax(const NodeFacts& node, KernelContext& context) {
  const Window window = TRY(PoolWindow(node));
  using List = decltype(FloatList() + TypeList<std::int8_t, std::uint8_t>());
  return Dispatch(List{}, node.dtype(0), [&](auto tag) {
    MaxWindows<typename decltype(tag)::type>(node, context, window);
  });
}

/// One number from the sum over a window of term(x).
template <class T, class Term, class End>
void SumWindows(KernelContext& context, const Window& window, const Term& term, const End& end) {
  const Tensor& x = *context.input(0);
  const T* in = x.data<T>().data();
  T* out = context.output(0).data<T>().data();
  const std::int64_t planes = x.dim(0) * x.dim(1);
  const std::int64_t in_size = window.input_size();
  const std::int64_t out_size = window.output_size();
  ForEachWindow(context, window, [&](const std::vector<Tap>& taps, std::int64_t at) {
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      double sum = 0;
      for (const Tap& tap : taps) sum += term(static_cast<double>(in[plane * in_size + tap.input]));
      const auto count = static_cast<std::int64_t>(taps.size());
      out[plane * out_size + at] = static_cast<T>(end(sum, count, at));
    }
  });
}

Result<void> RunAverage(const NodeFacts& node, KernelContext& context) {
  const Window window = TRY(PoolWindow(node));
  const bool padded = node.attributes.Int("count_include_pad", 0) != 0;
  const auto mean = [&](double sum, std::int64_t count, std::int64_t at) {
    return sum / static_cast<double>(padded ? window.PaddedCount(at) : count);
  };
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    SumWindows<typename decltype(tag)::type>(
        context, window, [](double x) { return x; }, mean);
  });
}

Result<void> RunLp(const NodeFacts& node, KernelContext& context) {
  const Window window = TRY(PoolWindow(node));
  const double p = node.op->since == 1 ? static_cast<double>(node.attributes.Float("p", 2))
                                       : static_cast<double>(node.attributes.Int("p", 2));
  const auto term = [p](double x) { return std::pow(std::abs(x), p); };
  const auto root = [p](double sum, std::int64_t, std::int64_t) { return std::pow(sum, 1 / p); };
  return Dispatch(FloatList{}, node.dtype(0), [&](auto tag) {
    SumWindows<typename decltype(tag)::type>(context, window, term, root);
  });
}

Result<Facts> InferLp(const NodeFacts& node) {
  if (node.op->since == 1 && !node.attributes.Has("kernel_shape")) {
    return Invalid("attribute `kernel_shape` is missing");
  }
  return Infer(node);
}

constexpr Kernel kMax[] = {
    {.name = "pool_pairs", .declines = DeclinePoolPairs, .prepare = PreparePoolPairs},
    {.name = "pool_rows", .declines = DeclinePoolRows, .prepare = PreparePoolRows},
    {.name = "pool_rows_widened",
     .declines = DeclineWidened<DeclinePoolRows>,
     .prepare = PrepareWidened<PreparePoolRows>},
    {.name = "max_pool_reference", .run = RunMax}};
constexpr Kernel kAverage[] = {
    {.name = "pool_pairs", .declines = DeclinePoolPairs, .prepare = PreparePoolPairs},
    {.name = "pool_rows", .declines = DeclinePoolRows, .prepare = PreparePoolRows},
    {.name = "pool_rows_widened",
     .declines = DeclineWidened<DeclinePoolRows>,
     .prepare = PrepareWidened<PreparePoolRows>},
    {.name = "average_pool_reference", .run = RunAverage}};
constexpr Kernel kLp[] = {{.name = "lp_pool_reference", .run = RunLp}};

consteval OpDef Max(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "MaxPool",
          .since = since,
          .signature = since < 8 ? "X:T -> Y:T" : "X:T -> Y:T, Indices?:I",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kMax};
}

consteval OpDef Average(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "AveragePool",
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kAverage};
}

consteval OpDef Lp(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "LpPool",
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .attributes = attributes,
          .infer = InferLp,
          .kernels = kLp};
}

constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr DTypeSet kMax12 = kFloatTypes | kBytes;
constexpr DTypeSet kMax22 = kFloatTypesB | kBytes;
constexpr std::string_view kMaxAttributes1 =
    "auto_pad:string=NOTSET, kernel_shape!:ints, pads:ints, strides:ints";
constexpr std::string_view kMaxAttributes8 =
    "auto_pad:string=NOTSET, kernel_shape!:ints, pads:ints, storage_order:int=0, strides:ints";
constexpr std::string_view kMaxAttributes10 =
    "auto_pad:string=NOTSET, ceil_mode:int=0, dilations:ints, kernel_shape!:ints, pads:ints, "
    "storage_order:int=0, strides:ints";
constexpr std::string_view kAverageAttributes7 =
    "auto_pad:string=NOTSET, count_include_pad:int=0, kernel_shape!:ints, pads:ints, strides:ints";
constexpr std::string_view kAverageAttributes10 =
    "auto_pad:string=NOTSET, ceil_mode:int=0, count_include_pad:int=0, kernel_shape!:ints, "
    "pads:ints, strides:ints";
constexpr std::string_view kAverageAttributes19 =
    "auto_pad:string=NOTSET, ceil_mode:int=0, count_include_pad:int=0, dilations:ints, "
    "kernel_shape!:ints, pads:ints, strides:ints";
constexpr std::string_view kLpAttributes1 =
    "auto_pad:string=NOTSET, kernel_shape:ints, p:float=2.0, pads:ints, strides:ints";
constexpr std::string_view kLpAttributes2 =
    "auto_pad:string=NOTSET, kernel_shape!:ints, p:int=2, pads:ints, strides:ints";
constexpr std::string_view kLpAttributes18 =
    "auto_pad:string=NOTSET, ceil_mode:int=0, dilations:ints, kernel_shape!:ints, p:int=2, "
    "pads:ints, strides:ints";

}  // namespace

OpList ops_pool() {
  static constexpr auto kOps = Versions({
      Max(1, kT<kFloatTypes>, kMaxAttributes1),
      Max(8, kTI<kFloatTypes, kInt64Type>, kMaxAttributes8),
      Max(10, kTI<kFloatTypes, kInt64Type>, kMaxAttributes10),
      Max(11, kTI<kFloatTypes, kInt64Type>, kMaxAttributes10),
      Max(12, kTI<kMax12, kInt64Type>, kMaxAttributes10),
      Max(22, kTI<kMax22, kInt64Type>, kMaxAttributes10),
      Average(1, kT<kFloatTypes>, kMaxAttributes1),
      Average(7, kT<kFloatTypes>, kAverageAttributes7),
      Average(10, kT<kFloatTypes>, kAverageAttributes10),
      Average(11, kT<kFloatTypes>, kAverageAttributes10),
      Average(19, kT<kFloatTypes>, kAverageAttributes19),
      Average(22, kT<kFloatTypesB>, kAverageAttributes19),
      Lp(1, kT<kFloatTypes>, kLpAttributes1),
      Lp(2, kT<kFloatTypes>, kLpAttributes2),
      Lp(11, kT<kFloatTypes>, kLpAttributes2),
      Lp(18, kT<kFloatTypes>, kLpAttributes18),
      Lp(22, kT<kFloatTypesB>, kLpAttributes18),
  });
  return kOps;
}

}  // namespace slipway::runtime
