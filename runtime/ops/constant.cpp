// SPDX-License-Identifier: Apache-2.0
// Constant (opsets 1, 9, 11, 12, 13, 19, 21, 23, 24, 25), ConstantOfShape (9, 20, 21, 23, 24, 25).
// Spec: https://onnx.ai/onnx/operators/onnx__Constant.html, onnx__ConstantOfShape.html
// The reader makes a `sparse_value` dense.
#include <algorithm>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class T>
Tensor Single(DType dtype, T value) {
  return Tensor::FromVector(dtype, {}, std::vector<T>{std::move(value)});
}

template <class T>
Tensor Several(DType dtype, std::span<const T> values) {
  return Tensor::FromVector(dtype, {static_cast<std::int64_t>(values.size())},
                            std::vector<T>(values.begin(), values.end()));
}

/// The tensor the one attribute that is there stands for.
Result<Tensor> ValueOf(const NodeFacts& node) {
  const Attributes& attributes = node.attributes;
  const auto given = std::distance(attributes.begin(), attributes.end());
  if (given != 1) return Invalid("a constant has one attribute, not ", given);
  if (const Tensor* value = attributes.TensorOrNull("value")) return *value;
  if (const Tensor* value = attributes.TensorOrNull("sparse_value")) return *value;
  if (attributes.Has("value_float")) {
    return Single(DType::kFloat32, attributes.Float("value_float", 0));
  }
  if (attributes.Has("value_int")) return Single(DType::kInt64, attributes.Int("value_int", 0));
  if (attributes.Has("value_string")) {
    return Single(DType::kString, std::string(attributes.String("value_string", "")));
  }
  if (attributes.Has("value_floats")) {
    return Several(DType::kFloat32, attributes.Floats("value_floats"));
  }
  if (attributes.Has("value_ints")) {
    const std::vector<std::int64_t> ints = attributes.Ints("value_ints", {});
    return Several<std::int64_t>(DType::kInt64, ints);
  }
  if (attributes.Has("value_strings")) {
    return Several(DType::kString, attributes.Strings("value_strings"));
  }
  return Invalid("attribute `", attributes.begin()->first, "` is no value");
}

Result<Facts> InferConstant(const NodeFacts& node) {
  const Tensor value = TRY(ValueOf(node));
  return Facts{TensorFacts(value.dtype(), value.shape())};
}

Result<void> RunConstant(const NodeFacts& node, KernelContext& context) {
  CopyAll(TRY(ValueOf(node)), context.output(0));
  return {};
}

Result<Facts> InferConstantOfShape(const NodeFacts& node) {
  TRY(CheckVector(node, 0, "input"));
  const Tensor* value = node.attributes.TensorOrNull("value");
  if (value != nullptr && value->size() != 1) {
    return Invalid("attribute `value` has ", value->size(), " elements, not one");
  }
  const DType dtype = value == nullptr ? DType::kFloat32 : value->dtype();
  if (DependsOnData(node, 0)) return Facts{TensorFacts(dtype)};
  Shape shape = *ConstantInts(node, 0);
  TRY(ElementCount(shape));
  return Facts{TensorFacts(dtype, std::move(shape))};
}

Result<void> RunConstantOfShape(const NodeFacts& node, KernelContext& context) {
  const Tensor* value = node.attributes.TensorOrNull("value");
  const DType dtype = value == nullptr ? DType::kFloat32 : value->dtype();
  Tensor* out = TRY(OutputOf(node, context, 0, dtype, IntsOf(context.input(0))));
  FillWith(*out, value);
  return {};
}

constexpr Kernel kConstant[] = {{.name = "constant", .run = RunConstant}};
constexpr Kernel kConstantOfShape[] = {{.name = "constant_of_shape", .run = RunConstantOfShape}};

consteval OpDef Constant(int since, std::span<const TypeRule> types) {
  return {.type = "Constant",
          .since = since,
          .signature = "-> output:T",
          .types = types,
          .attributes =
              since < 11 ? "value!:tensor"
              : since < 12
                  ? "sparse_value:tensor, value:tensor"
                  : "sparse_value:tensor, value:tensor, value_float:float, value_floats:floats, "
                    "value_int:int, value_ints:ints, value_string:string, "
                    "value_strings:strings",
          .infer = InferConstant,
          .kernels = kConstant};
}

consteval OpDef ConstantOfShape(int since, std::span<const TypeRule> types) {
  return {.type = "ConstantOfShape",
          .since = since,
          .signature = "input:T1 -> output:T2",
          .types = types,
          .attributes = "value:tensor",
          .infer = InferConstantOfShape,
          .kernels = kConstantOfShape};
}

constexpr DTypeSet kValues9 = kNumericTypes | kBoolType;
constexpr DTypeSet kValues20 = kNumericTypesB | kBoolType | kFloat8Types;
constexpr DTypeSet kValues21 = kValues20 | Types({DType::kUint4, DType::kInt4});
constexpr DTypeSet kValues23 = kValues21 | Types({DType::kFloat4E2M1});
constexpr DTypeSet kValues24 = kValues23 | Types({DType::kFloat8E8M0});
constexpr DTypeSet kValues25 = kValues24 | Types({DType::kUint2, DType::kInt2});

}  // namespace

OpList ops_constant() {
  static constexpr auto kOps = Versions({
      Constant(1, kT<kFloatTypes>),
      Constant(9, kT<kClassicTypes>),
      Constant(11, kT<kClassicTypes>),
      Constant(12, kT<kClassicTypes>),
      Constant(13, kT<kTypes13>),
      Constant(19, kT<kTypes19>),
      Constant(21, kT<kTypes21>),
      Constant(23, kT<kTypes23>),
      Constant(24, kT<kTypes24>),
      Constant(25, kT<kTypes25>),
      ConstantOfShape(9, kT1T2<kInt64Type, kValues9>),
      ConstantOfShape(20, kT1T2<kInt64Type, kValues20>),
      ConstantOfShape(21, kT1T2<kInt64Type, kValues21>),
      ConstantOfShape(23, kT1T2<kInt64Type, kValues23>),
      ConstantOfShape(24, kT1T2<kInt64Type, kValues24>),
      ConstantOfShape(25, kT1T2<kInt64Type, kValues25>),
  });
  return kOps;
}

}  // namespace slipway::runtime
