// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/signature.h"

#include <gtest/gtest.h>

namespace slipway::runtime {
namespace {

constexpr TypeRule kRules[] = {{"T", kFloatTypes}, {"I", kIndexTypes}};
constexpr OpDef kOp = {.type = "Sample",
                       .signature = "X:T, index?:I, more*:T -> Y:T, Z?:I, n:int64",
                       .types = kRules,
                       .attributes =
                           "axis:int=-1, mode:string=linear, pads:ints=[1,2], to!:int, "
                           "scales:floats, low:float=0.5, empty:ints=[]"};

Schema SampleSchema() {
  auto schema = ParseSchema(kOp);
  EXPECT_TRUE(schema) << schema.error().message;
  return *std::move(schema);
}

TEST(Signature, EveryOperatorsSchemaParses) {
  for (const auto& unit : ops_table()) {
    for (const OpDef& op : unit.make()) {
      const auto schema = ParseSchema(op);
      EXPECT_TRUE(schema) << schema.error().message;
    }
  }
}

TEST(Signature, Parses) {
  const Schema schema = SampleSchema();
  ASSERT_EQ(schema.inputs.size(), 3U);
  EXPECT_EQ(schema.inputs[0].name, "X");
  EXPECT_TRUE(schema.inputs[1].optional);
  EXPECT_TRUE(schema.inputs[2].variadic);
  EXPECT_FALSE(schema.inputs[2].heterogeneous);
  EXPECT_EQ(Schema::At(schema.inputs, 7), &schema.inputs[2]);
  EXPECT_EQ(Schema::At(schema.outputs, 3), nullptr);
  ASSERT_EQ(schema.attributes.size(), 7U);
  EXPECT_EQ(std::get<std::int64_t>(*schema.attributes[0].fallback), -1);
  EXPECT_EQ(std::get<std::string>(*schema.attributes[1].fallback), "linear");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(*schema.attributes[2].fallback),
            (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(schema.attributes[3].required);
}

TEST(Signature, RefusesBrokenGrammar) {
  for (const char* text : {"X:T", "X -> Y:T", "X:Q -> Y:T", ":T -> Y:T"}) {
    const OpDef op{.type = "Broken", .signature = text, .types = kRules};
    EXPECT_FALSE(ParseSchema(op)) << text;
  }
  for (const char* text : {"axis", "axis:number", "axis:int=x", "pads:ints=1"}) {
    const OpDef op{.type = "Broken", .signature = "->", .attributes = text};
    EXPECT_FALSE(ParseSchema(op)) << text;
  }
}

TEST(Signature, ChecksArity) {
  const Schema schema = SampleSchema();
  const std::int32_t three[] = {0, -1, 2}, many[] = {0, 1, 2, 3, 4}, none[] = {-1, 1, 2};
  const std::int32_t outputs[] = {5, -1, 6}, few[] = {5};
  EXPECT_TRUE(CheckArity(schema, three, outputs));
  EXPECT_TRUE(CheckArity(schema, many, outputs));
  EXPECT_FALSE(CheckArity(schema, none, outputs));
  EXPECT_FALSE(CheckArity(schema, {}, outputs));
  EXPECT_FALSE(CheckArity(schema, three, few));
  EXPECT_FALSE(CheckArity(schema, three, many));
}

TEST(Signature, ChecksAttributesAndFillsInDefaults) {
  const Schema schema = SampleSchema();
  Attributes attributes;
  auto checked = CheckAttributes(schema, attributes);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "attribute 'to' is missing");
  attributes.Set("to", std::int64_t{1});
  ASSERT_TRUE(CheckAttributes(schema, attributes));
  EXPECT_EQ(attributes.Int("axis", 0), -1);
  EXPECT_EQ(attributes.Float("low", 0), 0.5F);
  EXPECT_FALSE(attributes.Has("scales"));
  attributes.Set("axis", 1.0F);
  EXPECT_FALSE(CheckAttributes(schema, attributes));
  attributes.Set("axis", std::int64_t{1});
  attributes.Set("__private", 1.0F);
  EXPECT_TRUE(CheckAttributes(schema, attributes));
  attributes.Set("colour", 1.0F);
  checked = CheckAttributes(schema, attributes);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "attribute 'colour' is not known");
}

Result<std::vector<ValueFacts>> Check(DType x, DType index, DType more) {
  const std::vector<ValueFacts> inputs = {TensorFacts(x), TensorFacts(index), TensorFacts(more)};
  return CheckTypes(SampleSchema(), kOp, inputs, {true, true, true}, 3);
}

TEST(Signature, BindsTypeVariablesOnce) {
  const auto outputs = Check(DType::kFloat16, DType::kInt32, DType::kFloat16);
  ASSERT_TRUE(outputs);
  EXPECT_EQ((*outputs)[0].dtype, DType::kFloat16);
  EXPECT_EQ((*outputs)[1].dtype, DType::kInt32);
  EXPECT_EQ((*outputs)[2].dtype, DType::kInt64);
  EXPECT_FALSE(Check(DType::kFloat16, DType::kInt32, DType::kFloat32));
  EXPECT_FALSE(Check(DType::kInt8, DType::kInt32, DType::kInt8));
  EXPECT_FALSE(Check(DType::kFloat16, DType::kInt8, DType::kFloat16));
  EXPECT_TRUE(Check(DType::kUndefined, DType::kUndefined, DType::kFloat64));
}

TEST(Signature, WhatWantsAValueRefusesAnOptionalWithoutOne) {
  const OpDef op{.type = "Sample", .signature = "X:T, Y:any -> Z:T", .types = kRules};
  const auto schema = ParseSchema(op);
  ASSERT_TRUE(schema) << schema.error().message;
  const ValueFacts empty{.kind = TypeInfo::Kind::kOptional};
  const ValueFacts floats = TensorFacts(DType::kFloat32);
  EXPECT_TRUE(CheckFilled(*schema, std::vector{floats, empty}));
  const auto checked = CheckFilled(*schema, std::vector{empty, floats});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "input 0 'X' is an optional without a value");
}

}  // namespace
}  // namespace slipway::runtime
