// SPDX-License-Identifier: Apache-2.0
// ArgMax, ArgMin: opsets 1, 11, 12 (`select_last_index`), 13.
// Spec: https://onnx.ai/onnx/operators/onnx__ArgMax.html, onnx__ArgMin.html
// NaN counts as the extreme, as in NumPy.
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/argmax_simd.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/message.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  Shape shape = node.shape(0);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(shape)));
  if (shape[At(axis)] == 0) return Invalid("dimension ", axis, " of ", shape, " is empty");
  if (node.attributes.Int("keepdims", 1) != 0) {
    shape[At(axis)] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  return Facts{TensorFacts(DType::kInt64, std::move(shape))};
}

template <bool largest, class C>
bool Better(C x, C best, bool last) {
  const bool x_nan = x != x;
  if (best != best) return last && x_nan;
  if (x_nan) return true;
  return (largest ? x > best : x < best) || (last && x == best);
}

template <bool largest, class T>
std::int64_t Pick(const T* x, std::int64_t count, std::int64_t step, bool last) {
  std::int64_t at = 0;
  auto best = static_cast<Compute<T>>(x[0]);
  for (std::int64_t i = 1; i < count; ++i) {
    const auto value = static_cast<Compute<T>>(x[i * step]);
    if (!Better<largest>(value, best, last)) continue;
    best = value;
    at = i;
  }
  return at;
}

template <bool largest>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), x.rank())));
  const bool last = node.attributes.Int("select_last_index", 0) != 0;
  const std::int64_t count = x.shape()[axis];
  const std::int64_t inner = CountOf(x.shape(), axis + 1, x.shape().size());
  std::int64_t* out = y.data<std::int64_t>().data();
  return Dispatch(NumericList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    const std::int64_t grain = std::max<std::int64_t>(1, (8 << 10) / count);
    context.ParallelFor(y.size(), grain, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        out[i] = Pick<largest>(in + i / inner * count * inner + i % inner, count, inner, last);
      }
    });
  });
}

std::string DeclineSimd(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "the input is not float32";
  const Shape& x = node.shape(0);
  const auto axis = NormalizeAxis(node.attributes.Int("axis", 0), RankOf(x));
  if (!axis) return axis.error().message;
  const std::int64_t count = x[At(*axis)], inner = CountOf(x, At(*axis) + 1, x.size());
  constexpr std::int64_t kFewColumns = 8;
  if (count > kMostPlaces) return Message("rows of ", count);
  const bool few = inner == 1 ? count < kLeastPlaces : inner < kFewColumns;
  return few ? Message("rows of ", count, ", ", inner, " beside one another") : "";
}

template <bool largest>
Result<void> RunSimd(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  if (x.size() == 0) return {};
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), x.rank())));
  const Best best{.largest = largest, .last = node.attributes.Int("select_last_index", 0) != 0};
  const std::int64_t count = x.shape()[axis];
  const std::int64_t inner = CountOf(x.shape(), axis + 1, x.shape().size());
  constexpr std::int64_t kColumns = 64, kWorth = 16 << 10;
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns;
  const std::int64_t grain = std::max<std::int64_t>(1, kWorth / count / std::min(inner, kColumns));
  const float* const in = x.data<float>().data();
  std::int64_t* const out = context.output(0).data<std::int64_t>().data();
  const std::int64_t pieces = x.size() / (count * inner) * blocks;
  context.ParallelFor(pieces, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
      if (inner == 1) {
        out[i] = PlaceInRow(best, in + i * count, count);
        continue;
      }
      const std::int64_t plane = i / blocks, column = i % blocks * kColumns;
      PlacesInColumns(best, in + plane * count * inner + column, count, inner,
                      std::min(kColumns, inner - column), out + plane * inner + column);
    }
  });
  return {};
}

constexpr Kernel kMax[] = {{.name = "argmax_simd", .declines = DeclineSimd, .run = RunSimd<true>},
                           {.name = "argmax", .run = Run<true>}};
constexpr Kernel kMin[] = {{.name = "argmin_simd", .declines = DeclineSimd, .run = RunSimd<false>},
                           {.name = "argmin", .run = Run<false>}};

consteval OpDef Row(std::string_view type, int since, std::span<const TypeRule> types,
                    std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "data:T -> reduced:int64",
          .types = types,
          .attributes = since < 12 ? "axis:int=0, keepdims:int=1"
                                   : "axis:int=0, keepdims:int=1, select_last_index:int=0",
          .infer = Infer,
          .kernels = kernels};
}

consteval std::array<OpDef, 4> Rows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions(
      {Row(type, 1, kT<kNumericTypes>, kernels), Row(type, 11, kT<kNumericTypes>, kernels),
       Row(type, 12, kT<kNumericTypes>, kernels), Row(type, 13, kT<kNumericTypesB>, kernels)});
}

}  // namespace

OpList ops_argmax() {
  static constexpr auto kOps = Rows("ArgMax", kMax) + Rows("ArgMin", kMin);
  return kOps;
}

}  // namespace slipway::runtime
