// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/light.h"

#include <gtest/gtest.h>

#include <span>

#include "tests/server/server_fixture.h"
#include "tests/support/tiny_onnx.h"

namespace slipway::server {
namespace {

runtime::Model TinyModel() {
  const std::string bytes = testing::MakeTinyOnnx();
  auto model = runtime::Model::Parse(std::as_bytes(std::span(bytes)));
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

runtime::Feeds Rows(std::int64_t rows) {
  auto tensor = runtime::Tensor::Make(runtime::DType::kFloat32, {rows, 2});
  for (float& element : tensor->data<float>()) element = 0.25F;
  return {{"x", *std::move(tensor)}};
}

TEST(LightTest, ASmallModelHasASessionForSmallRequests) {
  const LightSession light = MakeLight(TinyModel(), {.threads = 2});
  ASSERT_TRUE(light.session);
  EXPECT_GE(light.elements_max, 2);
  EXPECT_LT(light.elements_max, 1'000'000);
  auto values = light.session->Run(Rows(1));
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ((*values)[0].tensor()->data<float>()[1], 0.5F);
}

TEST(LightTest, NoneWhereTheOtherHasOneThreadToo) {
  EXPECT_FALSE(MakeLight(TinyModel(), {.threads = 1}).session);
}

TEST(LightTest, NoneWhereTheModelMayNotHaveTheMemory) {
  runtime::SessionOptions options{.threads = 2};
  options.limits.memory_bytes = 1;
  EXPECT_FALSE(MakeLight(TinyModel(), options).session);
}

TEST(LightTest, ElementsAreThoseOfAllInputs) {
  runtime::Feeds feeds = Rows(3);
  EXPECT_EQ(ElementsOf(feeds), 6);
  feeds.emplace_back("z", *runtime::Tensor::Make(runtime::DType::kInt64, {4}));
  EXPECT_EQ(ElementsOf(feeds), 10);
  feeds.emplace_back("s", runtime::Value(std::make_shared<const runtime::Sequence>()));
  EXPECT_EQ(ElementsOf(feeds), -1);
}

class LightServerTest : public ServerFixture {};

TEST_F(LightServerTest, SmallAndLargeRequestsHaveTheSameAnswers) {
  ScorerOptions options = Tiny();
  options.threads = 2;
  Start(std::move(options));
  const ServedModel& model = service_->scorer().models()[0];
  ASSERT_TRUE(model.light.session);
  for (const std::int64_t rows : {std::int64_t{1}, model.light.elements_max}) {
    std::string body = R"({"data": [[1.5, 2])";
    for (std::int64_t i = 1; i < rows; ++i) body += ", [1.5, 2]";
    const auto response = Post("/score", body + "]}");
    ASSERT_EQ(response.status, 200) << response.body.substr(0, 300);
    const Json answer = Parse(response)["output"];
    ASSERT_EQ(answer.size(), static_cast<std::size_t>(rows));
    EXPECT_EQ(answer.back()[0], 3.0);
    EXPECT_EQ(answer.back()[1], 4.0);
  }
}

TEST_F(LightServerTest, RunsAreQuickOnceSomeHaveBeenAndAPlaceIsFree) {
  Start();
  Scorer& scorer = service_->scorer();
  EXPECT_FALSE(scorer.IsQuick());
  const ServedModel& model = scorer.models()[0];
  for (int i = 0; i < 10'000 && !scorer.IsQuick(); ++i) {
    ASSERT_TRUE(scorer.Run(model, Rows(1), {}));
  }
  EXPECT_TRUE(scorer.IsQuick());
}

TEST_F(LightServerTest, RunsThatTakeLongAreNotQuick) {
  Start();
  Scorer& scorer = service_->scorer();
  const ServedModel& model = scorer.models()[0];
  for (int i = 0; i < 10'000 && !scorer.IsQuick(); ++i) {
    ASSERT_TRUE(scorer.Run(model, Rows(1), {}));
  }
  const runtime::Feeds large = Rows(10'000'000);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(scorer.Run(model, large, {}));
  EXPECT_FALSE(scorer.IsQuick());
}

}  // namespace
}  // namespace slipway::server
