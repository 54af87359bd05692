// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime/server/oip_form.h"
#include "tests/server/server_fixture.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

std::string Bytes(std::vector<float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class OipTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    ASSERT_TRUE(loaded_) << loaded_.error().message;
    input_ = service_->scorer().models()[0].model().inputs()[0].name;
    output_ = service_->scorer().models()[0].model().outputs()[0].name;
  }
  std::string Body(const std::string& members, const std::string& rest = "") const {
    return R"({"inputs": [{"name": ")" + input_ + "\", " + members + "}]" + rest + "}";
  }
  std::string Refused(const http::Response& response, int status = 400) const {
    EXPECT_EQ(response.status, status) << response.body;
    return Parse(response).value("error", "");
  }
  std::string input_, output_;
  const std::string infer_ = "/v2/models/tiny/infer";
};

TEST_F(OipTest, Metadata) {
  const Json server = Parse(Send("GET", "/v2"));
  EXPECT_EQ(server["version"], SLIPWAY_VERSION);
  EXPECT_EQ(server["extensions"], testing::ParsedJson(R"(["binary_tensor_data"])"));
  EXPECT_EQ(Send("GET", "/v2/").status, 200);
  EXPECT_EQ(Send("GET", "/v2/health/live").status, 200);
  EXPECT_EQ(Send("GET", "/v2/health/ready").status, 200);
  for (const char* path : {"/v2/models/tiny", "/v2/models/tiny/versions/3"}) {
    const Json model = Parse(Send("GET", path));
    EXPECT_EQ(model["name"], "tiny");
    EXPECT_EQ(model["versions"], testing::ParsedJson(R"(["3"])"));
    EXPECT_EQ(model["inputs"][0],
              Json({{"name", input_}, {"datatype", "FP32"}, {"shape", {-1, 2}}}));
    EXPECT_EQ(Send("GET", std::string(path) + "/ready").status, 200);
  }
  EXPECT_NE(Refused(Send("GET", "/v2/models/none"), 404).find("none"), std::string::npos);
  Refused(Send("GET", "/v2/models/tiny/versions/4"), 404);
  Refused(Send("GET", "/v2/models/none/ready"), 404);
}

TEST_F(OipTest, FlatAndNestedDataInAnyOrder) {
  for (const char* members : {R"("shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4])",
                              R"("shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]])",
                              R"("data": [1, 2, 3, 4], "datatype": "FP32", "shape": [2, 2])"}) {
    const auto response = Post(infer_, Body(members, R"(, "id": "7")"));
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body,
              R"({"model_name":"tiny","model_version":"3","id":"7","outputs":[{"name":")" +
                  output_ + R"(","datatype":"FP32","shape":[2,2],"data":[2.0,4.0,6.0,8.0]}]})");
  }
}

TEST_F(OipTest, BinaryInAndOut) {
  const std::string head =
      Body(R"("shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8})",
           R"(, "outputs": [{"name": ")" + output_ + R"(", "parameters": {"binary_data": true}}])");
  const auto response = Send("POST", "/v2/models/tiny/versions/3/infer", head + Bytes({1.5F, -2}),
                             {{"Content-Type", "application/octet-stream"},
                              {"Inference-Header-Content-Length", std::to_string(head.size())}});
  ASSERT_EQ(response.status, 200) << response.body;
  const std::size_t json =
      std::stoul(std::string(response.headers.Get("Inference-Header-Content-Length")));
  EXPECT_EQ(response.body.substr(json), Bytes({3, -4}));
  EXPECT_EQ(testing::ParsedJson(response.body.substr(0, json))["outputs"][0]["parameters"],
            Json({{"binary_data_size", 8}}));
}

TEST_F(OipTest, BinaryOutputForAll) {
  const auto response = Post(infer_, Body(R"("shape": [1, 2], "datatype": "FP32", "data": [1, 2])",
                                          R"(, "parameters": {"binary_data_output": true})"));
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.ends_with(Bytes({2, 4})));
}

TEST_F(OipTest, ErrorsAreOneLine) {
  for (const char* members :
       {R"("shape": [1, 2], "datatype": "FP32", "data": [1])",
        R"("shape": [1, 2], "datatype": "FP64", "data": [1, 2])",
        R"("shape": [1, 2], "datatype": "FLOAT", "data": [1, 2])",
        R"("shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3])",
        R"("shape": [1, 2], "datatype": "FP32", "data": ["a", "b"])",
        R"("shape": [1, -2], "datatype": "FP32", "data": [1, 2])",
        R"("shape": [4611686018427387904, 4], "datatype": "FP32", "data": [1, 2])",
        R"("shape": [1, 2], "data": [1, 2])", R"("datatype": "FP32", "data": [1, 2])",
        R"("shape": [1, 2], "datatype": "FP32")",
        R"("shape": [1, 2], "datatype": "FP32", "data": [1, 2], "dtype": 1)",
        R"("shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8})",
        R"("shape": [1, 2], "datatype": "FP32", "parameters": {"shared_memory_region": "r"})"}) {
    const std::string message = Refused(Post(infer_, Body(members)));
    EXPECT_NE(message.find(input_), std::string::npos) << members << " -> " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  Refused(Post(infer_, "{}"));
  Refused(Post(infer_, ""));
  Refused(Post(infer_, R"({"inputs": []})"));
  Refused(Post(infer_, Body(R"("shape": [1, 2], "datatype": "FP32", "data": [1, 2])",
                            R"(, "outputs": [{"name": "none"}])")));
  Refused(Post("/v2/models/none/infer", "{}"), 404);
  Refused(Send("POST", infer_, "{}", {{"Inference-Header-Content-Length", "9"}}));
  Refused(Send("POST", infer_, "{}", {{"Inference-Header-Content-Length", "x"}}));
  Refused(Send("POST", infer_, "{}", {{"Content-Encoding", "gzip"}}));
}

TEST(OipBinaryTest, StringsCarryTheirLength) {
  using runtime::DType;
  auto tensor = runtime::Tensor::FromVector<std::string>(DType::kString, {2}, {"ab", ""});
  std::string bytes;
  AppendOipBinary(tensor, bytes);
  EXPECT_EQ(bytes, std::string("\2\0\0\0ab\0\0\0\0", 10));
  auto back = ReadOipBinary(bytes, DType::kString, {2});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->data<std::string>()[0], "ab");
  EXPECT_FALSE(ReadOipBinary(bytes, DType::kString, {1}));
  EXPECT_FALSE(ReadOipBinary(bytes, DType::kString, {3}));
  EXPECT_FALSE(ReadOipBinary(bytes.substr(0, 5), DType::kString, {2}));
  EXPECT_FALSE(ReadOipBinary("\xff\xff\xff\xff", DType::kString, {1}));
  EXPECT_FALSE(ReadOipBinary("", DType::kString, {1LL << 60}));
}

TEST(OipBinaryTest, BoolsAreMadeZeroOrOne) {
  auto tensor = ReadOipBinary(std::string("\2\0\xff", 3), runtime::DType::kBool, {3});
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->data<std::uint8_t>()[0], 1);
  EXPECT_EQ(tensor->data<std::uint8_t>()[1], 0);
}

}  // namespace
}  // namespace slipway::server
