// SPDX-License-Identifier: Apache-2.0
/// Maps, and sequences of them, through sessions: what ZipMap gives and DictVectorizer takes.
#include <gtest/gtest.h>

#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

Value MapOf(std::vector<std::string> keys, std::vector<Value> items) {
  auto map = std::make_shared<Map>();
  const auto count = static_cast<std::int64_t>(keys.size());
  map->keys = Tensor::FromVector(DType::kString, {count}, std::move(keys));
  map->items = std::move(items);
  return Value(std::shared_ptr<const Map>(std::move(map)));
}

Value Number(float value) { return Floats({}, {value}); }

TEST(Maps, ZipMapGivesOneForEachExampleInTheOrderOfTheKeys) {
  for (const bool reference : {true, false}) {
    const auto outputs =
        RunModel("zip_map", {{"x", Floats({2, 2}, {3, 1, 1, 4})}}, {.reference = reference});
    ASSERT_EQ(outputs.size(), 2U);
    const auto labels = outputs[0].tensor()->data<std::string>();
    EXPECT_EQ(labels[0], "tea");
    EXPECT_EQ(labels[1], "coffee");
    const Sequence* maps = outputs[1].sequence();
    ASSERT_NE(maps, nullptr);
    ASSERT_EQ(maps->items.size(), 2U);
    const std::vector<std::vector<float>> expected{{1.5F, 3}, {4.5F, 1}};
    for (std::size_t row = 0; row < 2; ++row) {
      const Map* map = maps->items[row].map();
      ASSERT_NE(map, nullptr);
      EXPECT_EQ(map->keys.data<std::string>()[0], "coffee");
      EXPECT_EQ(map->keys.data<std::string>()[1], "tea");
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(FloatsOf(map->items[i]), std::vector<float>{expected[row][i]});
      }
    }
  }
}

TEST(Maps, ZipMapOfNothingIsAnEmptySequence) {
  const auto outputs = RunModel("zip_map", {{"x", Floats({0, 2}, {})}});
  ASSERT_EQ(outputs.size(), 2U);
  ASSERT_NE(outputs[1].sequence(), nullptr);
  EXPECT_TRUE(outputs[1].sequence()->items.empty());
}

TEST(Maps, AreFedAndGoOnAsTensors) {
  const auto outputs = RunModel(
      "dictionary", {{"d", MapOf({"c", "a", "other"}, {Number(3), Number(2), Number(9)})}});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(FloatsOf(outputs[0]), (std::vector<float>{2, -2, 4}));
}

TEST(Maps, OfOtherKeysOrValuesAreRefused) {
  const auto session = MakeSession(LoadModel("dictionary"));
  const auto refused = [&](Value value) {
    const auto outputs = session->Run({{"d", std::move(value)}});
    return !outputs && outputs.error().code == Code::kInvalidArgument;
  };
  auto numbered = std::make_shared<Map>();
  numbered->keys = Tensor::FromVector(DType::kInt64, {1}, std::vector<std::int64_t>{1});
  numbered->items = {Number(1)};
  EXPECT_TRUE(refused(Value(std::shared_ptr<const Map>(std::move(numbered)))));
  EXPECT_TRUE(refused(MapOf({"a"}, {Floats({2}, {1, 2})})));
  EXPECT_TRUE(refused(MapOf({"a", "b"}, {Number(1), Int64s({}, {2})})));
  EXPECT_TRUE(refused(Floats({1}, {1})));
}

}  // namespace
}  // namespace slipway::runtime
