// SPDX-License-Identifier: Apache-2.0
/// What bounds a served model: memory of its weights and runs, time of a run.
#include <gmock/gmock.h>

#include <chrono>

#include "tests/runtime/tiny_model.h"
#include "tests/server/server_fixture.h"

namespace slipway::server {
namespace {

namespace tiny = runtime::tiny;
using runtime::DType;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// The sum of a product of two matrices of zeros, as large as the request's two numbers say.
std::string ProductOfSize() {
  return tiny::ModelOf(tiny::GraphOf({{"ConstantOfShape", {"size"}, {"z"}},
                                      {"MatMul", {"z", "z"}, {"m"}},
                                      {"ReduceSum", {"m"}, {"y"}}},
                                     {{"size", DType::kInt64}}, {{"y", DType::kFloat32}}));
}

class LimitsTest : public ServerFixture {
 protected:
  LimitsTest() { WriteModel("product/m.onnx", ProductOfSize()); }
  ScorerOptions Product() const {
    return {.models = {{.name = "product", .path = folder_ / "product"}}};
  }
};

TEST_F(LimitsTest, ARunThatWantsMoreMemoryIsRefusedAndTheNextOneAnswered) {
  ScorerOptions options = Product();
  options.memory_bytes = 8 << 20;
  Start(std::move(options));
  ASSERT_TRUE(loaded_) << loaded_.error().message;
  const auto refused = Post("/score", R"({"data": [3000, 3000]})");
  EXPECT_EQ(refused.status, 413) << refused.body;
  EXPECT_THAT(refused.body, HasSubstr("memory"));
  const auto answered = Post("/score", R"({"data": [10, 10]})");
  EXPECT_EQ(answered.status, 200) << answered.body;
}

TEST_F(LimitsTest, WithoutABoundTheSameRunIsAnswered) {
  Start(Product());
  EXPECT_EQ(Post("/score", R"({"data": [1200, 1200]})").status, 200);
}

TEST_F(LimitsTest, ARunEndsAtItsTimeAndTheNextOneIsAnswered) {
  ScorerOptions options = Product();
  options.time_limit = milliseconds(50);
  options.timeout = milliseconds(60'000);
  Start(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  const auto response = Post("/score", R"({"data": [9000, 9000]})");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_EQ(response.status, 500) << response.body;
  EXPECT_EQ(Parse(response)["message"], "Scoring timeout after 50 ms");
  EXPECT_EQ(response.headers.Get("x-ms-run-function-failed"), "True");
  EXPECT_EQ(Post("/score", R"({"data": [10, 10]})").status, 200);
}

TEST_F(LimitsTest, TheEarlierOfTwoTimesCounts) {
  ScorerOptions options = Product();
  options.time_limit = milliseconds(60'000);
  options.timeout = milliseconds(50);
  Start(std::move(options));
  const auto response = Post("/score", R"({"data": [9000, 9000]})");
  EXPECT_EQ(response.status, 500) << response.body;
  EXPECT_EQ(Parse(response)["message"], "Scoring timeout after 50 ms");
}

TEST_F(LimitsTest, EachRouteTellsOfMemoryInItsForm) {
  ScorerOptions options = Product();
  options.memory_bytes = 8 << 20;
  Start(std::move(options));
  const auto oip = Post("/v2/models/product/infer", R"({"inputs": [
      {"name": "size", "datatype": "INT64", "shape": [2], "data": [3000, 3000]}]})");
  EXPECT_EQ(oip.status, 413) << oip.body;
  EXPECT_TRUE(Parse(oip).contains("error"));
}

TEST_F(LimitsTest, AGoldenSampleThatTakesTooLongMakesTheServerNotReady) {
  WriteModel("product/test_data_set_0/input_0.pb",
             tiny::Field(1, std::int64_t{2}) + tiny::Field(2, std::int64_t{7}) +
                 tiny::Field(7, std::int64_t{9000}) + tiny::Field(7, std::int64_t{9000}));
  ScorerOptions options = Product();
  options.time_limit = milliseconds(50);
  Start(std::move(options));
  ASSERT_FALSE(loaded_);
  EXPECT_EQ(loaded_.error().id, "Model.WrongAnswer");
  EXPECT_THAT(loaded_.error().message, HasSubstr("test_data_set_0"));
  EXPECT_EQ(Send("GET", "/readyz").status, 503);
}

TEST_F(LimitsTest, AModelWithMoreWeightsIsNotLoaded) {
  std::filesystem::create_directories(folder_ / "digits");
  std::filesystem::copy_file(
      std::filesystem::path(SLIPWAY_SOURCE_DIR) / "templates/digits/digits.onnx",
      folder_ / "digits/digits.onnx");
  ScorerOptions options{.models = {{.name = "digits", .path = folder_ / "digits"}}};
  options.memory_bytes = 4 << 10;
  Start(std::move(options));
  ASSERT_FALSE(loaded_);
  EXPECT_EQ(loaded_.error().id, "Run.MemoryLimit") << loaded_.error().message;
  EXPECT_THAT(loaded_.error().message, HasSubstr("model digits:1"));
}

}  // namespace
}  // namespace slipway::server
