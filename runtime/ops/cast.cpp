// SPDX-License-Identifier: Apache-2.0
// Cast (opsets 1, 6, 9, 13, 19, 21, 23, 24, 25, 28), CastLike (15, 19, 21, 23, 24, 25), BitCast
// (26). Spec: https://onnx.ai/onnx/operators/onnx__Cast.html and the pages of the others.
#include <array>
#include <cstring>
#include <optional>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Enumerators of TensorProto.DataType by number, as opset 1 names types.
constexpr std::array<std::string_view, 17> kNames = {
    "UNDEFINED", "FLOAT",  "UINT8",     "INT8",       "UINT16",  "INT16",
    "INT32",     "INT64",  "STRING",    "BOOL",       "FLOAT16", "DOUBLE",
    "UINT32",    "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16"};

Result<DType> TargetType(const NodeFacts& node) {
  if (node.op->type == "CastLike") return node.dtype(1);
  if (node.op->since >= 6) {
    const std::int64_t to = node.attributes.Int("to", 0);
    Result<DType> dtype = DTypeFromNumber(to);
    if (!dtype || *dtype == DType::kUndefined) {
      return Invalid("attribute `to` is ", to, ", which is no element type");
    }
    return dtype;
  }
  const std::string_view to = node.attributes.String("to", "");
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (kNames[i] == to) return DTypeFromNumber(static_cast<std::int64_t>(i));
  }
  return Invalid("attribute `to` is `", to, "`, which is no element type");
}

std::optional<ScaleRounding> RoundingOf(const NodeFacts& node) {
  const std::string_view mode = node.attributes.String("round_mode", "up");
  if (mode == "up") return ScaleRounding::kUp;
  if (mode == "down") return ScaleRounding::kDown;
  if (mode == "nearest") return ScaleRounding::kNearest;
  return std::nullopt;
}

Result<Facts> InferCast(const NodeFacts& node) {
  const DType to = TRY(TargetType(node));
  const auto& allowed = node.op->types.back().dtypes;
  if (!allowed.Has(to)) return Invalid("type ", to, " is not one the operator casts to");
  if (!RoundingOf(node)) {
    return Invalid("attribute `round_mode` is `", node.attributes.String("round_mode", ""),
                   "`, not up, down or nearest");
  }
  return Facts{TensorFacts(to, node.shape(0))};
}

Result<void> RunCast(const NodeFacts& node, KernelContext& context) {
  const MiniOptions options{.saturate = node.attributes.Int("saturate", 1) != 0,
                            .rounding = RoundingOf(node).value_or(ScaleRounding::kUp)};
  return ConvertElements(context, *context.input(0), context.output(0), options);
}

Result<Facts> InferBitCast(const NodeFacts& node) {
  const DType to = TRY(TargetType(node));
  if (!node.op->types.back().dtypes.Has(to)) return Invalid("type ", to, " has no bits to take");
  if (DTypeBits(to) != DTypeBits(node.dtype(0))) {
    return Invalid("types ", node.dtype(0), " and ", to, " differ in width");
  }
  return Facts{TensorFacts(to, node.shape(0))};
}

Result<void> RunBitCast(const NodeFacts&, KernelContext& context) {
  const Tensor& from = *context.input(0);
  if (from.size() > 0) std::memcpy(context.output(0).raw(), from.raw(), At(from.bytes()));
  return {};
}

constexpr Kernel kCast[] = {{.name = "cast", .run = RunCast}};
constexpr Kernel kBitCast[] = {{.name = "bit_cast", .run = RunBitCast}};

consteval OpDef Cast(int since, std::span<const TypeRule> types) {
  return {.type = "Cast",
          .since = since,
          .signature = "input:T1 -> output:T2",
          .types = types,
          .attributes = since < 6    ? "to!:string"
                        : since < 19 ? "to!:int"
                        : since < 24 ? "saturate:int=1, to!:int"
                                     : "round_mode:string=up, saturate:int=1, to!:int",
          .infer = InferCast,
          .kernels = kCast};
}

consteval OpDef CastLike(int since, std::span<const TypeRule> types) {
  return {.type = "CastLike",
          .since = since,
          .signature = "input:T1, target_type:T2 -> output:T2",
          .types = types,
          .attributes = since < 19   ? ""
                        : since < 24 ? "saturate:int=1"
                                     : "round_mode:string=up, saturate:int=1",
          .infer = InferCast,
          .kernels = kCast};
}

constexpr DTypeSet kCast1 = kNumericTypes | kBoolType;
constexpr DTypeSet kCast9 = kCast1 | kStringType;
constexpr DTypeSet kCast13 = kCast9 | Types({DType::kBfloat16});
constexpr DTypeSet kCast19 = kCast13 | kFloat8Types;
constexpr DTypeSet kCast21 = kCast19 | Types({DType::kUint4, DType::kInt4});
constexpr DTypeSet kCast23 = kCast21 | Types({DType::kFloat4E2M1});
constexpr DTypeSet kCast24 = kCast23 | Types({DType::kFloat8E8M0});
constexpr DTypeSet kCast25 = kCast24 | Types({DType::kUint2, DType::kInt2});
constexpr DTypeSet kCast28 = kCast25 | kFloat6Types;
constexpr DTypeSet kBits = {kTypes25.bits & ~kStringType.bits};

}  // namespace

OpList ops_cast() {
  static constexpr auto kOps = Versions({
      Cast(1, kT1T2<kCast1, kCast1>),
      Cast(6, kT1T2<kCast1, kCast1>),
      Cast(9, kT1T2<kCast9, kCast9>),
      Cast(13, kT1T2<kCast13, kCast13>),
      Cast(19, kT1T2<kCast19, kCast19>),
      Cast(21, kT1T2<kCast21, kCast21>),
      Cast(23, kT1T2<kCast23, kCast23>),
      Cast(24, kT1T2<kCast24, kCast24>),
      Cast(25, kT1T2<kCast25, kCast25>),
      Cast(28, kT1T2<kCast28, kCast28>),
      CastLike(15, kT1T2<kCast13, kCast13>),
      CastLike(19, kT1T2<kCast19, kCast19>),
      CastLike(21, kT1T2<kCast21, kCast21>),
      CastLike(23, kT1T2<kCast23, kCast23>),
      CastLike(24, kT1T2<kCast24, kCast24>),
      CastLike(25, kT1T2<kCast25, kCast25>),
      OpDef{.type = "BitCast",
            .since = 26,
            .signature = "input:T1 -> output:T2",
            .types = kT1T2<kBits, kBits>,
            .attributes = "to!:int",
            .infer = InferBitCast,
            .kernels = kBitCast},
  });
  return kOps;
}

}  // namespace slipway::runtime
