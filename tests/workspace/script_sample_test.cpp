// SPDX-License-Identifier: Apache-2.0
/// Golden samples in a service's own form: what agrees, and what a promotion sends where.
#include "workspace/script_sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "tests/support/http_fixture.h"
#include "tests/workspace/fixture.h"
#include "workspace/promotion_check.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;

std::string Difference(const char* want, const char* got) {
  return FirstDifference(*ParseJson(want), *ParseJson(got));
}

TEST(ScriptSample, AgreesAsNumbersDo) {
  EXPECT_EQ(Difference("[1, 2.0, -3.5]", "[1.0, 2, -3.5003]"), "");
  EXPECT_EQ(Difference("[1, 2, 3]", "[1, 2, 4]"), "$[2] is 4, expected 3");
  EXPECT_EQ(Difference("1000000001", "1000000002"), "$ is 1000000002, expected 1000000001")
      << "whole numbers are not rounded";
  EXPECT_EQ(Difference("[1]", "[1, 2]"), "$ has 2 items, expected 1");
  EXPECT_EQ(Difference("0.0", "0.001"), "$ is 0.001, expected 0.0");
  EXPECT_EQ(Difference("1", "true"), "$ is true, expected 1");
  EXPECT_EQ(Difference("null", "null"), "");
  EXPECT_EQ(Difference("\"a\"", "\"b\""), "$ is \"b\", expected \"a\"");
}

TEST(ScriptSample, OnlyNamedMembersCount) {
  EXPECT_EQ(Difference(R"({"result": [7]})", R"({"result": [7], "time": 0.2})"), "");
  EXPECT_EQ(Difference(R"({"result": [7], "time": 1})", R"({"result": [7]})"),
            "$ has no member \"time\"");
  EXPECT_EQ(Difference(R"({"a": {"b": [{"c": 1}]}})", R"({"a": {"b": [{"c": 2}]}})"),
            "$.a.b[0].c is 2, expected 1");
}

TEST(ScriptSample, ReadsTextThatIsJson) {
  EXPECT_EQ(Difference(R"({"result": [7.0]})", R"("{\"result\": [7.0001]}")"), "");
  EXPECT_EQ(Difference(R"("{\"result\": [7]}")", R"({"result": [8]})"),
            "$.result[0] is 8, expected 7");
  EXPECT_EQ(Difference("\"7\"", "7"), "$ is 7, expected \"7\"") << "only objects and lists";
  EXPECT_EQ(Difference("\"[broken\"", "\"[broken\""), "");
}

class Quiet final : public Progress {
 public:
  const std::string& id() const override { return id_; }
  void Phase(std::string_view, std::int64_t) override {}
  void Log(std::string_view) override {}
  bool Cancelled() const override { return false; }

 private:
  std::string id_ = "op";
};

/// A model with samples in a workspace, and a stand-in for the service that is to reproduce them.
class CheckScript : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(running_.ok());
    ASSERT_TRUE(running_.workspace().store().CreateWorkspace({.name = "lab"}));
    service_ = testing::StartServer(testing::LocalOptions(), [this](http::Request& request) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request.target + " " + request.body);
      authorization_ = request.headers.Get("Authorization");
      http::Response response = http::JsonResponse(status_, answer_);
      return response;
    });
    row_.workspace = "lab";
    row_.service.endpoint = testing::UrlOf(*service_);
    image_.script = "score.py";
  }
  registry::ModelVersion Register(std::map<std::string, std::string> contents) {
    contents["m.onnx"] = testing::MakeTinyOnnx();
    registry::RegisterRequest wanted{.workspace = "lab", .name = "calc"};
    for (const auto& [path, content] : contents) {
      const auto put = running_.workspace().blobs().PutText(content);
      EXPECT_TRUE(put);
      wanted.files.push_back({.path = path,
                              .digest = Digest::OfText(content).text(),
                              .size = static_cast<std::int64_t>(content.size())});
    }
    auto made = running_.workspace().registry().Register(wanted);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
  Result<std::string> Check(const registry::ModelVersion& model) {
    return CheckEndpoint(running_.workspace(), row_, image_, model, progress_);
  }

  testing::TempDir folder_;
  RunningWorkspace running_{folder_ / "state"};
  std::unique_ptr<http::Server> service_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
  std::string authorization_, answer_ = R"({"result": [7]})";
  int status_ = 200;
  ServiceRow row_;
  api::Image image_;
  Quiet progress_;
};

TEST_F(CheckScript, SendsItsRequestWithTheKeyAndNothingElse) {
  const auto model = Register({{"test_data_set_0/request.json", "{\"data\":  [[1, 2]]}"},
                               {"test_data_set_0/response.json", R"({"result": [7]})"},
                               {"test_data_set_0/input_0.pb", "not for a script"}});
  row_.deployment.auth_enabled = true;
  row_.deployment.primary_key = "open-sesame";
  const auto found = Check(model);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, HasSubstr("1 golden samples reproduced at http"));
  EXPECT_EQ(seen_, std::vector<std::string>{"/score {\"data\":  [[1, 2]]}"}) << "as registered";
  EXPECT_EQ(authorization_, "Bearer open-sesame");
}

TEST_F(CheckScript, SaysWhatIsWrong) {
  const auto model = Register({{"test_data_set_0/request.json", "{}"},
                               {"test_data_set_0/response.json", R"({"result": [8]})"}});
  const auto wrong = Check(model);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().id, "Promotion.WrongAnswer");
  EXPECT_THAT(wrong.error().message, HasSubstr("test_data_set_0: $.result[0] is 7, expected 8"));
  answer_ = "not json";
  EXPECT_THAT(Check(model).error().message, HasSubstr("no JSON"));
  status_ = 500;
  answer_ = R"({"message": "boom"})";
  EXPECT_THAT(Check(model).error().message, HasSubstr("answers 500"));
  EXPECT_EQ(Check(model).error().id, "Promotion.WrongAnswer");
}

TEST_F(CheckScript, WithoutAnAnswerToCompareItMustAnswer) {
  const auto model = Register({{"test_data_set_0/request.json", "{}"}});
  EXPECT_TRUE(Check(model));
  status_ = 503;
  EXPECT_FALSE(Check(model));
}

TEST_F(CheckScript, TensorsAreNothingToSendToAScript) {
  const auto model = Register({{"test_data_set_0/input_0.pb", "x"}});
  const auto nothing = Check(model);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().id, "Promotion.NoRequest");
  EXPECT_TRUE(seen_.empty());
}

TEST_F(CheckScript, AResponseThatIsNoJsonIsNamed) {
  const auto model = Register(
      {{"test_data_set_0/request.json", "{}"}, {"test_data_set_0/response.json", "{broken"}});
  const auto wrong = Check(model);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("response.json"));
}

}  // namespace
}  // namespace slipway::workspace
