// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/text.h"
#include "runtime/server/json_tensor.h"
#include "tests/server/server_fixture.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

const std::filesystem::path kMnist =
    std::filesystem::path(SLIPWAY_SOURCE_DIR) / "../shared/models/mnist.onnx";

class RealModelTest : public ServerFixture {};

TEST_F(RealModelTest, EveryFormGivesTheSameBitsAsTheSession) {
  if (!std::filesystem::exists(kMnist)) GTEST_SKIP() << "no " << kMnist;
  Start({.models = {{.name = "mnist", .version = "1", .path = kMnist}}, .threads = 1});
  ASSERT_TRUE(loaded_) << loaded_.error().message;
  std::vector<float> pixels(784);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<float>(i * 37 % 256) / 255.0F;
  }
  const auto input = runtime::Tensor::FromVector(runtime::DType::kFloat32, {1, 1, 28, 28}, pixels);
  auto direct = service_->scorer().models()[0].session->Run({{"Input3", input}});
  ASSERT_TRUE(direct) << direct.error().message;
  const std::string wanted = EncodeBase64(direct->at(0).tensor()->raw_bytes());

  const std::string predict = R"({"inputs": {"Input3": {"dims": ["1","1","28","28"], "dataType": 1,
      "rawData": ")" + EncodeBase64(input.raw_bytes()) +
                              R"("}}, "outputFilter": ["Plus214_Output_0"]})";
  const Json reply = Parse(Post("/score", predict));
  EXPECT_EQ(reply["outputs"]["Plus214_Output_0"]["rawData"], wanted);
  EXPECT_EQ(reply["outputs"]["Plus214_Output_0"]["dims"], testing::ParsedJson(R"(["1","10"])"));

  std::string plain = R"({"data": )";
  ASSERT_TRUE(AppendNested(input, plain));
  const auto answer = Post("/score", plain + "}");
  ASSERT_EQ(answer.status, 200) << answer.body;
  std::string expected;
  ASSERT_TRUE(AppendNested(*direct->at(0).tensor(), expected));
  EXPECT_NE(answer.body.find(expected), std::string::npos) << answer.body;

  std::string flat;
  ASSERT_TRUE(AppendFlat(input, flat));
  const auto infer = Post("/v2/models/mnist/infer",
                          R"({"inputs": [{"name": "Input3", "shape": [1,1,28,28],
                              "datatype": "FP32", "data": )" +
                              flat + "}]}");
  ASSERT_EQ(infer.status, 200) << infer.body;
  std::string expected_flat;
  ASSERT_TRUE(AppendFlat(*direct->at(0).tensor(), expected_flat));
  EXPECT_NE(infer.body.find("\"data\":" + expected_flat), std::string::npos) << infer.body;
}

}  // namespace
}  // namespace slipway::server
