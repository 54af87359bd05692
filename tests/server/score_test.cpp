// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/text.h"
#include "runtime/server/proto_wire.h"
#include "tests/server/server_fixture.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

std::string Base64OfFloats(std::vector<float> values) {
  return EncodeBase64(std::as_bytes(std::span(values)));
}

class ScoreTest : public ServerFixture {
 protected:
  void SetUp() override {
    Start();
    ASSERT_TRUE(loaded_) << loaded_.error().message;
    input_ = service_->scorer().models()[0].model().inputs()[0].name;
    output_ = service_->scorer().models()[0].model().outputs()[0].name;
  }
  std::string PredictBody(const std::string& tensor, const std::string& rest = "") const {
    return R"({"inputs": {")" + input_ + R"(": )" + tensor + "}" + rest + "}";
  }
  std::string Refused(const http::Response& response, int status = 400) const {
    EXPECT_EQ(response.status, status) << response.body;
    const Json json = Parse(response);
    const std::string message = json.value("message", json.value("error_message", ""));
    EXPECT_FALSE(message.empty()) << response.body;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message;
  }
  std::string input_, output_;
};

TEST_F(ScoreTest, PlainData) {
  const auto response = Post("/score", R"({"data": [[1, 2.5], [-0.0, 1e-3]]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"output":[[2.0,5.0],[-0.0,0.002]]})");
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/json");
  EXPECT_FALSE(response.headers.Get("x-ms-run-fn-exec-ms").empty());
}

TEST_F(ScoreTest, PlainByName) {
  const auto response = Post("/score", "{\"" + input_ + "\": [[1, 2]]}");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "{\"" + output_ + "\":[[2.0,4.0]]}");
}

TEST_F(ScoreTest, PlainByQuery) {
  const auto response = Send("GET", "/score?" + input_ + "=[[1,2]]");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, "{\"" + output_ + "\":[[2.0,4.0]]}");
  Refused(Send("GET", "/score?" + input_ + "=abc"));
  Refused(Send("GET", "/score"));
}

TEST_F(ScoreTest, PlainErrorsNameWhatIsWrong) {
  EXPECT_EQ(Refused(Post("/score", "")), "POST body is empty. Expecting a JSON dictionary.");
  EXPECT_EQ(Refused(Post("/score", "[[1,2]]")), "POST body should be a JSON dictionary.");
  EXPECT_NE(Refused(Post("/score", R"({"none": [1]})")).find("no input 'none'"), std::string::npos);
  const std::string shape = Refused(Post("/score", R"({"data": [[1, 2, 3]]})"));
  EXPECT_NE(shape.find(input_), std::string::npos) << shape;
  EXPECT_NE(shape.find('3'), std::string::npos) << shape;
  EXPECT_NE(Refused(Post("/score", R"({"data": [["a"]]})")).find(input_), std::string::npos);
  EXPECT_NE(Refused(Post("/score", R"({"data": [[1], [2, 3]]})")).find("uneven"),
            std::string::npos);
  Refused(Post("/score", R"({"data": [[1, 2]]} x)"));
  Refused(Post("/score", "{}"));
  Refused(Post("/score", R"({"data": [[1, 2]])"));
}

TEST_F(ScoreTest, PredictJson) {
  const std::string body = PredictBody(R"({"dims": ["1", "2"], "dataType": 1, "rawData": ")" +
                                       Base64OfFloats({1.5F, -2}) + "\"}");
  for (const char* path :
       {"/score", "/v1/models/tiny/versions/3:predict", "/v1/models/tiny:predict"}) {
    const auto response = Post(path, body);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body, R"({"outputs":{")" + output_ +
                                 R"(":{"dims":["1","2"],"dataType":1,"rawData":")" +
                                 Base64OfFloats({3, -4}) + R"(","dataLocation":"DEFAULT"}}})");
  }
}

TEST_F(ScoreTest, PredictJsonInOtherSpellings) {
  const std::string wanted = Base64OfFloats({3, -4});
  for (const char* tensor :
       {R"({"dims": [1, 2], "dataType": "1", "floatData": [1.5, -2]})",
        R"({"dims": ["1", 2], "data_type": 1, "float_data": [1.5, -2.0], "name": "x"})",
        R"({"floatData": [1.5, -2], "dims": [1, 2], "dataType": 1, "dataLocation": "DEFAULT"})"}) {
    const auto response = Post("/score", PredictBody(tensor));
    ASSERT_EQ(response.status, 200) << tensor << response.body;
    EXPECT_EQ(Parse(response)["outputs"][output_]["rawData"], wanted);
  }
}

TEST_F(ScoreTest, PredictFilter) {
  const std::string tensor = R"({"dims": [1, 2], "dataType": 1, "floatData": [1, 2]})";
  EXPECT_EQ(Post("/score", PredictBody(tensor, R"(, "outputFilter": [")" + output_ + "\"]")).status,
            200);
  const std::string unknown =
      Refused(Post("/score", PredictBody(tensor, R"(, "outputFilter": ["none"])")));
  EXPECT_NE(unknown.find("none"), std::string::npos);
}

TEST_F(ScoreTest, PredictErrors) {
  const std::string path = "/v1/models/tiny/versions/3:predict";
  const auto missing = Send("POST", path, "{}", {{"Content-Type", ""}});
  EXPECT_EQ(Parse(missing)["error_code"], 400);
  EXPECT_NE(Refused(missing).find("Content-Type"), std::string::npos);
  Refused(Post(path, "{}", "text/plain"));
  Refused(Post(path, "{}"));
  Refused(Post(path, "nonsense"));
  Refused(Post("/v1/models/none/versions/3:predict", "{}"), 404);
  Refused(Post("/v1/models/tiny/versions/9:predict", "{}"), 404);
  for (const char* tensor :
       {R"({"dims": [1, 2], "dataType": 1, "rawData": "AAAA"})",
        R"({"dims": [1, 2], "dataType": 1, "rawData": "%%%%"})",
        R"({"dims": [1, 3], "dataType": 1, "floatData": [1, 2, 3]})",
        R"({"dims": [1, 2], "dataType": 7, "int64Data": ["1", "2"]})",
        R"({"dims": [1, 2], "dataType": 99})", R"({"dims": [-1, 2], "dataType": 1})",
        R"({"dims": [1000000000, 1000000000], "dataType": 1})", R"({"dims": "x"})",
        R"({"dims": [1, 2], "dataType": 1, "dataLocation": "EXTERNAL"})",
        R"({"dims": [1, 2], "dataType": 1, "surprise": 1})", R"([])", "null"}) {
    const std::string message = Refused(Post(path, PredictBody(tensor)));
    EXPECT_NE(message.find(input_), std::string::npos) << tensor << " -> " << message;
  }
}

TEST_F(ScoreTest, PredictProtobuf) {
  const std::vector<float> values = {1.5F, -2};
  auto tensor = runtime::Tensor::FromVector(runtime::DType::kFloat32, {1, 2}, values);
  std::string entry, request;
  AppendProtoBytes(1, input_, entry);
  AppendProtoBytes(2, *runtime::WriteTensorProto(tensor, ""), entry);
  AppendProtoBytes(2, entry, request);
  AppendProtoBytes(3, output_, request);
  for (const char* type :
       {"application/octet-stream", "application/x-protobuf", "application/vnd.google.protobuf"}) {
    const auto response = Post("/v1/models/tiny/versions/3:predict", request, type);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.headers.Get("Content-Type"), type);
    ProtoReader reader(response.body);
    auto output = reader.Next();
    ASSERT_TRUE(output);
    EXPECT_EQ(output->number, 1U);
    ProtoReader pair(output->bytes);
    EXPECT_EQ(pair.Next()->bytes, output_);
    const auto bytes = pair.Next()->bytes;
    runtime::TypeInfo type_info{.dtype = runtime::DType::kFloat32};
    auto value = runtime::ReadProtoValue(std::as_bytes(std::span(bytes)), type_info);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->tensor()->data<float>()[1], -4);
  }
  const auto json =
      Send("POST", "/score", request,
           {{"Content-Type", "application/x-protobuf"}, {"Accept", "text/html, application/json"}});
  EXPECT_EQ(Parse(json)["outputs"][output_]["rawData"], Base64OfFloats({3, -4}));
  const auto nothing = Send("POST", "/score", request,
                            {{"Content-Type", "application/x-protobuf"}, {"Accept", "text/html"}});
  EXPECT_EQ(nothing.status, 400);
  for (std::size_t cut = 1; cut < request.size(); cut += 3) {
    const auto response = Post("/score", request.substr(0, cut), "application/x-protobuf");
    EXPECT_TRUE(response.status == 400 || response.status == 200) << response.status;
  }
}

TEST_F(ScoreTest, PredictMakesItsRequestId) {
  const auto response = Send("POST", "/v1/models/tiny/versions/3:predict", "{}",
                             {{"Content-Type", "application/json"}, {"x-ms-request-id", "mine"}});
  EXPECT_NE(response.headers.Get("x-ms-request-id"), "mine");
  EXPECT_FALSE(response.headers.Get("x-ms-request-id").empty());
}

TEST_F(ScoreTest, OpenInferenceFormAtScore) {
  const auto response = Post("/score", R"({"inputs": [{"name": ")" + input_ +
                                           R"(", "shape": [1, 2], "datatype": "FP32",
                                               "data": [1, 2]}]})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(Parse(response)["outputs"][0]["data"], testing::ParsedJson("[2.0,4.0]"));
}

}  // namespace
}  // namespace slipway::server
