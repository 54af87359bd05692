// SPDX-License-Identifier: Apache-2.0
#include "workspace/api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace slipway::api {
namespace {

TEST(Api, ReadsWhatItWrites) {
  Model model;
  model.name = "m";
  model.version = 3;
  model.tags = {"a", "b"};
  model.kv_tags = {{"a", "1"}, {"b", ""}};
  model.files = {{"x/m.onnx", "sha256:0", 12}};
  model.inputs = {{"x", "tensor(float)", {"N", "2"}, true}, {"s", "seq(tensor(float))", {}, false}};
  const Json json = ToJson(model);
  EXPECT_FALSE(json["inputs"][1].contains("shape"));
  Model again;
  ASSERT_TRUE(FromJson(json, again));
  EXPECT_EQ(ToJson(again), json);
  EXPECT_TRUE(again.inputs[0].has_shape);
  EXPECT_FALSE(again.inputs[1].has_shape);
}

TEST(Api, ScalarKeepsItsEmptyShape) {
  const auto model = Read<Model>(R"({"inputs": [{"name": "x", "type": "t", "shape": []}]})");
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->inputs[0].has_shape);
  EXPECT_EQ(ToJson(*model)["inputs"][0]["shape"], Json::array());
}

TEST(Api, TagsAreAListOrAMap) {
  const auto list = Read<RegisterModel>(R"({"name": "m", "files": [], "tags": ["x", "y"]})");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->tags, (TextMap{{"x", ""}, {"y", ""}}));
  const auto map = Read<RegisterModel>(R"({"name": "m", "files": [], "tags": {"x": "1"}})");
  ASSERT_TRUE(map);
  EXPECT_EQ(map->tags, (TextMap{{"x", "1"}}));
  EXPECT_FALSE(Read<RegisterModel>(R"({"name": "m", "files": [], "tags": [1]})"));
  EXPECT_FALSE(Read<RegisterModel>(R"({"name": "m", "files": [], "properties": ["x"]})"));
}

TEST(Api, UpdateTellsAbsentFromEmpty) {
  const auto none = Read<UpdateModel>("{}");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_tags || none->has_description);
  EXPECT_FALSE(ToJson(*none).contains("tags"));
  const auto empty = Read<UpdateModel>(R"({"tags": {}, "description": ""})");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->has_tags && empty->has_description);
}

TEST(Api, RefusalsNameTheField) {
  const auto says = [](const auto& result) {
    EXPECT_FALSE(result);
    if (result) return std::string();
    EXPECT_EQ(result.error().id, "Request.Invalid");
    EXPECT_EQ(result.error().code, Code::kInvalidArgument);
    return result.error().message + " " + result.error().fix;
  };
  EXPECT_NE(says(Read<CreateService>(R"({"name": "s", "prot": 1})")).find("port"),
            std::string::npos);
  EXPECT_NE(says(Read<CreateService>(R"({"name": "s", "port": 1.5})")).find("\"port\""),
            std::string::npos);
  EXPECT_NE(says(Read<CreateService>(R"({"name": "s", "port": 18446744073709551615})"))
                .find("out of range"),
            std::string::npos);
  EXPECT_NE(says(Read<CreateService>(R"({"name": "s", "overwrite": "yes"})")).find("overwrite"),
            std::string::npos);
  EXPECT_NE(says(Read<CreateImage>(R"({"name": "i", "models": ["a", 2]})")).find("models[1]"),
            std::string::npos);
  EXPECT_NE(says(Read<RegisterModel>(R"({"name": "m", "files": [{"path": "p"}]})"))
                .find("files[0].digest"),
            std::string::npos);
  EXPECT_NE(says(Read<CreateImage>("")).size(), 0u);
  const std::string long_name(100'000, 'x');
  EXPECT_NE(says(Read<CreateWorkspace>(R"({"name": ")" + long_name + R"("})")).find("100000"),
            std::string::npos);
}

TEST(Api, NullIsAbsent) {
  const auto service = Read<CreateService>(R"({"name": "s", "target": null, "tags": null})");
  ASSERT_TRUE(service);
  EXPECT_EQ(service->target, "");
  EXPECT_FALSE(Read<CreateService>(R"({"name": null})"));
}

}  // namespace
}  // namespace slipway::api
