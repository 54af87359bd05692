// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear, DequantizeLinear (opsets 10, 13, 19, 21, 23, 24, 25, 28), DynamicQuantizeLinear
// (11). Spec: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html and the others' pages.
#include "runtime/kernels/quantize.h"

#include <algorithm>
#include <cmath>

#include "runtime/bounds.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/minifloat.h"
#include "runtime/kernels/quantize_simd.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<DType> TypeAttribute(const NodeFacts& node, std::string_view name, DType fallback) {
  const std::int64_t number = node.attributes.Int(name, 0);
  return number == 0 ? fallback : DTypeFromNumber(number);
}

Result<void> CheckZeroPoint(const NodeFacts& node) {
  if (!node.Has(2) || node.shape(2) == node.shape(1)) return {};
  const auto one = [](const Shape& s) { return CountOf(s, 0, s.size()) == 1 && s.size() < 2; };
  if (one(node.shape(1)) && one(node.shape(2))) return {};
  return Invalid("the zero point of ", node.shape(2), " and the scale of ", node.shape(1),
                 " differ");
}

Result<Facts> InferQuantize(const NodeFacts& node) {
  TRY(ScaleMapOf(node, node.shape(0), node.shape(1)));
  TRY(CheckZeroPoint(node));
  const DType given = node.Has(2) ? node.dtype(2) : DType::kUint8;
  const DType to = TRY(TypeAttribute(node, "output_dtype", given));
  if (node.Has(2) && to != given) {
    return Invalid("attribute `output_dtype` is ", to, ", the zero point is ", given);
  }
  if (!node.op->types.back().dtypes.Has(to)) return Invalid("type ", to, " is not quantised to");
  return Facts{TensorFacts(to, node.shape(0))};
}

/// The type that x / scale is computed in.
DType Precision(const NodeFacts& node) {
  const auto asked = static_cast<DType>(node.attributes.Int("precision", 0));
  if (asked != DType::kUndefined) return asked;
  if (node.dtype(0) == DType::kInt32) return DType::kFloat64;
  return node.dtype(1) == DType::kFloat8E8M0 ? node.dtype(0) : node.dtype(1);
}

Result<void> RunQuantize(const NodeFacts& node, KernelContext& context) {
  const ScaleMap map = TRY(ScaleMapOf(node, node.shape(0), node.shape(1)));
  const Tensor x = TRY(Converted(context, *context.input(0), DType::kFloat64));
  const Tensor scale = TRY(Converted(context, *context.input(1), DType::kFloat64));
  Tensor zero;
  if (node.Has(2)) zero = TRY(Converted(context, *context.input(2), DType::kFloat64));
  Tensor& y = context.output(0);
  Tensor wide = TRY(Tensor::Make(DType::kFloat64, y.shape()));
  const bool floating = IsMiniFloat(y.dtype());
  const IntegerRange range = floating ? IntegerRange{} : RangeOfInteger(y.dtype());
  const DType precision = Precision(node);
  auto out = wide.data<double>();
  const auto in = x.data<double>();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto at = At(map.At(i));
    const double scaled = RoundedTo(precision, in[At(i)] / scale.data<double>()[at]);
    const double offset = zero.size() > 0 ? zero.data<double>()[at] : 0;
    out[At(i)] = floating ? scaled + offset : QuantizeOne(scaled, offset, range);
  }
  return ConvertElements(context, wide, y, {.saturate = node.attributes.Int("saturate", 1) != 0});
}

Result<Facts> InferDequantize(const NodeFacts& node) {
  TRY(ScaleMapOf(node, node.shape(0), node.shape(1)));
  TRY(CheckZeroPoint(node));
  const DType scale = node.dtype(1) == DType::kFloat8E8M0 ? DType::kFloat32 : node.dtype(1);
  return Facts{TensorFacts(TRY(TypeAttribute(node, "output_dtype", scale)), node.shape(0))};
}

Result<void> RunDequantize(const NodeFacts& node, KernelContext& context) {
  const ScaleMap map = TRY(ScaleMapOf(node, node.shape(0), node.shape(1)));
  const Tensor x = TRY(Converted(context, *context.input(0), DType::kFloat64));
  const Tensor scale = TRY(Converted(context, *context.input(1), DType::kFloat64));
  Tensor zero;
  if (node.Has(2)) zero = TRY(Converted(context, *context.input(2), DType::kFloat64));
  Tensor wide = TRY(Tensor::Make(DType::kFloat64, x.shape()));
  auto out = wide.data<double>();
  const auto in = x.data<double>();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto at = At(map.At(i));
    const double offset = zero.size() > 0 ? zero.data<double>()[at] : 0;
    out[At(i)] = (in[At(i)] - offset) * scale.data<double>()[at];
  }
  return ConvertElements(context, wide, context.output(0));
}

Result<Facts> InferDynamic(const NodeFacts& node) {
  return OutputFacts(node, {TensorFacts(DType::kUint8, node.shape(0)),
                            TensorFacts(DType::kFloat32, {}), TensorFacts(DType::kUint8, {})});
}

Result<void> RunDynamic(const NodeFacts& node, KernelContext& context) {
  const auto x = context.input(0)->data<float>();
  const DynamicScale dynamic = DynamicScaleOf(x);
  if (Wanted(node, 0)) {
    auto y = context.output(0).data<std::uint8_t>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = static_cast<std::uint8_t>(dynamic.Quantised(x[i]));
    }
  }
  if (Wanted(node, 1)) context.output(1).data<float>()[0] = dynamic.scale;
  if (Wanted(node, 2)) {
    context.output(2).data<std::uint8_t>()[0] = static_cast<std::uint8_t>(dynamic.zero);
  }
  return {};
}

Result<void> RunDynamicVectors(const NodeFacts& node, KernelContext& context) {
  const auto x = context.input(0)->data<float>();
  const FloatRange range = RangeWithZero(x);
  const DynamicScale dynamic = DynamicScaleOf(range.least, range.most);
  const auto zero = static_cast<std::int32_t>(dynamic.zero);
  if (Wanted(node, 0)) {
    QuantizeToBytes(x, {.scale = dynamic.scale, .zero = zero, .least = 0, .most = 255},
                    context.output(0).raw());
  }
  if (Wanted(node, 1)) context.output(1).data<float>()[0] = dynamic.scale;
  if (Wanted(node, 2)) context.output(2).data<std::uint8_t>()[0] = static_cast<std::uint8_t>(zero);
  return {};
}

constexpr std::int64_t kGrain = 16 << 10;

bool IsWord(DType dtype) { return dtype == DType::kInt16 || dtype == DType::kUint16; }

/// Elements that lie side by side and have one scale.
std::int64_t RunLength(const NodeFacts& node, const ScaleMap& map) {
  if (map.block == 0) return CountOf(node.shape(0), 0, node.shape(0).size());
  return map.one_row && map.block == 1 ? map.inner : 1;
}

std::string DeclineRuns(const NodeFacts& node) {
  constexpr std::int64_t kLeastRun = 8;
  const auto map = ScaleMapOf(node, node.shape(0), node.shape(1));
  if (!map) return map.error().message;
  if (node.dtype(1) != DType::kFloat32) return "scales are not float32";
  return map->block == 0 || RunLength(node, *map) >= kLeastRun ? "" : "scales change too often";
}

std::string DeclineQuantizeVectors(const NodeFacts& node) {
  const DType to = node.outputs[0].dtype;
  if (node.dtype(0) != DType::kFloat32 || !(IsByte(to) || IsWord(to))) {
    return "not from float32 to 8 or 16 bits";
  }
  if (Precision(node) != DType::kFloat32) return "attribute `precision` is not float32";
  return DeclineRuns(node);
}

/// body(first, count, scale, zero) for each run of elements of one scale, on the context's threads.
template <class F>
Result<void> ForEachScale(const NodeFacts& node, KernelContext& context, F&& body) {
  const Tensor& x = *context.input(0);
  const ScaleMap map = TRY(ScaleMapOf(node, x.shape(), context.input(1)->shape()));
  const auto scales = context.input(1)->data<float>();
  CountedVector<std::int32_t> zeros(At(node.Has(2) ? context.input(2)->size() : 0));
  if (node.Has(2)) {
    const Tensor zero = TRY(Converted(context, *context.input(2), DType::kInt32));
    std::ranges::copy(zero.data<std::int32_t>(), zeros.begin());
  }
  const std::int64_t run = RunLength(node, map);
  const auto piece = [&](std::int64_t first, std::int64_t count) {
    const auto at = At(map.At(first));
    body(first, count, scales[at], zeros.empty() ? 0 : zeros[at]);
  };
  if (run == x.size()) {
    context.ParallelFor(run, kGrain,
                        [&](std::int64_t begin, std::int64_t end) { piece(begin, end - begin); });
    return {};
  }
  context.ParallelFor(x.size() / run, std::max<std::int64_t>(1, kGrain / run),
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t i = begin; i < end; ++i) piece(i * run, run);
                      });
  return {};
}

Result<void> RunQuantizeVectors(const NodeFacts& node, KernelContext& context) {
  const auto x = context.input(0)->data<float>();
  Tensor& y = context.output(0);
  const IntegerRange range = RangeOfInteger(y.dtype());
  auto* out = static_cast<std::byte*>(y.raw());
  const bool bytes = IsByte(y.dtype());
  return ForEachScale(
      node, context, [&](std::int64_t first, std::int64_t count, float scale, std::int32_t zero) {
        const ByteScale to{.scale = scale,
                           .zero = zero,
                           .least = static_cast<std::int32_t>(range.least),
                           .most = static_cast<std::int32_t>(range.most)};
        const auto from = x.subspan(At(first), At(count));
        bytes ? QuantizeToBytes(from, to, out + first) : QuantizeToWords(from, to, out + 2 * first);
      });
}

std::string DeclineDequantizeLoops(const NodeFacts& node) {
  const DType from = node.dtype(0);
  const bool whole = IsByte(from) || IsWord(from) || from == DType::kInt32;
  if (!whole || node.outputs[0].dtype != DType::kFloat32) {
    return "not from 8, 16 or 32 bits to float32";
  }
  return DeclineRuns(node);
}

/// Wide: in which differences of T are exact.
template <class T, class Wide = float>
Result<void> DequantizeRuns(const NodeFacts& node, KernelContext& context) {
  const T* in = context.input(0)->data<T>().data();
  float* out = context.output(0).data<float>().data();
  return ForEachScale(node, context,
                      [&](std::int64_t first, std::int64_t count, float scale, std::int32_t zero) {
                        for (std::int64_t i = first; i < first + count; ++i) {
                          const Wide offset = static_cast<Wide>(in[i]) - static_cast<Wide>(zero);
                          out[i] = static_cast<float>(offset * static_cast<Wide>(scale));
                        }
                      });
}

Result<void> RunDequantizeLoops(const NodeFacts& node, KernelContext& context) {
  switch (node.dtype(0)) {
    case DType::kInt8:
      return DequantizeRuns<std::int8_t>(node, context);
    case DType::kUint8:
      return DequantizeRuns<std::uint8_t>(node, context);
    case DType::kInt16:
      return DequantizeRuns<std::int16_t>(node, context);
    case DType::kUint16:
      return DequantizeRuns<std::uint16_t>(node, context);
    default:
      return DequantizeRuns<std::int32_t, double>(node, context);
  }
}

constexpr Kernel kQuantize[] = {
    {.name = "quantize_vectors", .declines = DeclineQuantizeVectors, .run = RunQuantizeVectors},
    {.name = "quantize_reference", .run = RunQuantize}};
constexpr Kernel kDequantize[] = {
    {.name = "dequantize", .declines = DeclineDequantizeLoops, .run = RunDequantizeLoops},
    {.name = "dequantize_reference", .run = RunDequantize}};
constexpr Kernel kDynamic[] = {{.name = "dynamic_quantize_vectors", .run = RunDynamicVectors},
                               {.name = "dynamic_quantize_reference", .run = RunDynamic}};

constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr DTypeSet kInt32Type = Types({DType::kInt32});
constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});
constexpr DTypeSet kX10 = Types({DType::kFloat32, DType::kInt32});
constexpr DTypeSet kX19 = kHalf32 | kInt32Type;
constexpr DTypeSet kScale24 = kX19 | Types({DType::kFloat8E8M0});
constexpr DTypeSet kY19 = kBytes | kFloat8Types;
constexpr DTypeSet kY21 =
    kY19 | Types({DType::kInt16, DType::kUint16, DType::kInt4, DType::kUint4});
constexpr DTypeSet kY23 = kY21 | Types({DType::kFloat4E2M1});
constexpr DTypeSet kY25 = kY23 | Types({DType::kInt2, DType::kUint2});
constexpr DTypeSet kY28 = kY25 | kFloat6Types;
constexpr DTypeSet kFrom10 = kBytes | kInt32Type;
constexpr DTypeSet kFrom19 = kY19 | kInt32Type;
constexpr DTypeSet kFrom21 = kY21 | kInt32Type;
constexpr DTypeSet kFrom23 = kY23 | kInt32Type;
constexpr DTypeSet kFrom25 = kY25 | kInt32Type;
constexpr DTypeSet kFrom28 = kY28 | kInt32Type;
constexpr DTypeSet kDequantizeScale24 = kHalf32 | Types({DType::kFloat8E8M0});

consteval OpDef Quantize(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "QuantizeLinear",
          .since = since,
          .signature = since < 19   ? "x:T1, y_scale:float, y_zero_point?:T2 -> y:T2"
                       : since < 23 ? "x:T1, y_scale:T1, y_zero_point?:T2 -> y:T2"
                                    : "x:T1, y_scale:T2, y_zero_point?:T3 -> y:T3",
          .types = types,
          .attributes = attributes,
          .infer = InferQuantize,
          .kernels = kQuantize};
}

consteval OpDef Dequantize(int since, std::span<const TypeRule> types,
                           std::string_view attributes) {
  return {.type = "DequantizeLinear",
          .since = since,
          .signature = since < 19   ? "x:T, x_scale:float, x_zero_point?:T -> y:float"
                       : since < 23 ? "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T2"
                                    : "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T3",
          .types = types,
          .attributes = attributes,
          .infer = InferDequantize,
          .kernels = kDequantize};
}

constexpr std::string_view kQuantize21 =
    "axis:int=1, block_size:int=0, output_dtype:int=0, saturate:int=1";
constexpr std::string_view kQuantize23 =
    "axis:int=1, block_size:int=0, output_dtype:int=0, precision:int=0, saturate:int=1";
constexpr std::string_view kDequantize23 = "axis:int=1, block_size:int=0, output_dtype:int=0";

}  // namespace

OpList ops_quantize() {
  static constexpr auto kOps = Versions({
      Quantize(10, kT1T2<kX10, kBytes>, ""),
      Quantize(13, kT1T2<kX10, kBytes>, "axis:int=1"),
      Quantize(19, kT1T2<kX19, kY19>, "axis:int=1, saturate:int=1"),
      Quantize(21, kT1T2<kX19, kY21>, kQuantize21),
      Quantize(23, kT1T2T3<kX19, kX19, kY23>, kQuantize23),
      Quantize(24, kT1T2T3<kX19, kScale24, kY23>, kQuantize23),
      Quantize(25, kT1T2T3<kX19, kScale24, kY25>, kQuantize23),
      Quantize(28, kT1T2T3<kX19, kScale24, kY28>, kQuantize23),
      Dequantize(10, kT<kFrom10>, ""),
      Dequantize(13, kT<kFrom10>, "axis:int=1"),
      Dequantize(19, kT1T2<kFrom19, kHalf32>, "axis:int=1"),
      Dequantize(21, kT1T2<kFrom21, kHalf32>, "axis:int=1, block_size:int=0"),
      Dequantize(23, kT1T2T3<kFrom23, kHalf32, kHalf32>, kDequantize23),
      Dequantize(24, kT1T2T3<kFrom23, kDequantizeScale24, kHalf32>, kDequantize23),
      Dequantize(25, kT1T2T3<kFrom25, kDequantizeScale24, kHalf32>, kDequantize23),
      Dequantize(28, kT1T2T3<kFrom28, kDequantizeScale24, kHalf32>, kDequantize23),
      OpDef{.type = "DynamicQuantizeLinear",
            .since = 11,
            .signature = "x:T1 -> y:T2, y_scale:float, y_zero_point:T2",
            .types = kT1T2<kFloat32Type, Types({DType::kUint8})>,
            .infer = InferDynamic,
            .kernels = kDynamic},
  });
  return kOps;
}

}  // namespace slipway::runtime
