// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runtime/model_files.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

using ::testing::ElementsAre;

/// Three trips of a body that declares its count and its condition so, and gives what shape they
/// have.
std::vector<Value> ShapesInTheBody(const tiny::Ints& declared) {
  const tiny::GraphBytes body = {tiny::GraphOf(
      {{"Identity", {"go"}, {"go_on"}}, {"Shape", {"i"}, {"of_i"}}, {"Shape", {"go"}, {"of_go"}}},
      {{"i", DType::kInt64, declared}, {"go", DType::kBool, declared}},
      {{"go_on", DType::kBool}, {"of_i", DType::kInt64}, {"of_go", DType::kInt64}})};
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(
      {{"Loop", {"m", ""}, {"counts", "conditions"}, {{"body", body}}}}, {{"m", DType::kInt64}},
      {{"counts", DType::kInt64}, {"conditions", DType::kInt64}}));
  auto session = MakeSession(*Model::Parse(std::as_bytes(std::span(bytes))));
  auto outputs = session->Run({{"m", Int64s({}, {3})}});
  EXPECT_TRUE(outputs) << outputs.error().message;
  return outputs ? *std::move(outputs) : std::vector<Value>(2);
}

TEST(Loop, CountAndConditionHaveTheDimensionsThatTheBodyDeclares) {
  const std::vector<Value> ones = ShapesInTheBody({1});
  for (const Value& of : ones) {
    const auto sizes = of.tensor()->data<std::int64_t>();
    EXPECT_THAT(std::vector(sizes.begin(), sizes.end()), ElementsAre(1, 1, 1));
  }
  const std::vector<Value> scalars = ShapesInTheBody({});
  for (const Value& of : scalars) EXPECT_EQ(of.tensor()->shape(), (Shape{3, 0}));
}

}  // namespace
}  // namespace slipway::runtime
