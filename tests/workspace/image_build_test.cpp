// SPDX-License-Identifier: Apache-2.0
/// Builds that meet each other, or that somebody ends: nothing is half made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "tests/workspace/fixture.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;

constexpr const char* kLab = "/api/v1/workspaces/lab";

class ImageBuild : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ServeProgram())) GTEST_SKIP() << "slipway-serve is not built";
    ASSERT_TRUE(running_.ok());
    ASSERT_EQ(Ask("POST", "/api/v1/workspaces", R"({"name": "lab"})").status, 201);
    Put("m.onnx", testing::MakeTinyOnnx(), "model");
  }

  http::Response Ask(const std::string& method, const std::string& path, std::string body = {}) {
    http::Request request{.method = method, .target = path, .body = std::move(body)};
    request.headers.Set("Authorization", "Bearer " + running_.workspace().token());
    auto response = running_.Send(request);
    EXPECT_TRUE(response) << path;
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  Json Get(const std::string& path) {
    const auto json = ParseJson(Ask("GET", path).body);
    return json ? *json : Json::object();
  }
  /// Stores a text, and registers it where a model is named; gives it as a request's file.
  Json Put(const std::string& path, const std::string& text, const std::string& model = "") {
    const std::string digest = Digest::OfText(text).text();
    const int status = Ask("PUT", std::string(kLab) + "/blobs/" + digest, text).status;
    EXPECT_TRUE(status == 200 || status == 201) << status;
    Json file{{"path", path}, {"digest", digest}};
    if (!model.empty()) {
      const Json wanted{{"name", model}, {"files", Json::array({file})}};
      EXPECT_EQ(Ask("POST", std::string(kLab) + "/models", DumpJson(wanted)).status, 201);
    }
    return file;
  }
  std::string Start(const std::string& name) {
    const auto answer = Ask("POST", std::string(kLab) + "/images",
                            DumpJson({{"name", name}, {"models", Json::array({"model:1"})}}));
    EXPECT_EQ(answer.status, 202) << answer.body;
    const auto json = ParseJson(answer.body);
    return json ? json->value("id", "") : "";
  }
  Json Await(const std::string& operation) {
    for (int i = 0; i < 6'000; ++i) {
      Json now = Get("/api/v1/operations/" + operation);
      const std::string state = now.value("state", "");
      if (state != "NotStarted" && state != "Running") return now;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the operation does not end";
    return Json::object();
  }
  Json Image(const std::string& name, int version) {
    return Get(std::string(kLab) + "/images/" + name + "/versions/" + std::to_string(version));
  }

  testing::TempDir folder_;
  RunningWorkspace running_{folder_ / "state"};
};

TEST_F(ImageBuild, ManyOfOneNameAtOnceAreVersionsOfOneImage) {
  constexpr int kBuilds = 6;
  std::vector<std::thread> users;
  std::vector<std::string> operations(kBuilds);
  for (int i = 0; i < kBuilds; ++i) {
    users.emplace_back(
        [this, i, &operations] { operations[static_cast<std::size_t>(i)] = Start("app"); });
  }
  for (std::thread& user : users) user.join();
  std::set<std::string> resources, digests;
  for (const std::string& operation : operations) {
    const Json ended = Await(operation);
    EXPECT_EQ(ended.value("state", ""), "Succeeded") << DumpJson(ended);
    resources.insert(ended.value("resource", ""));
  }
  EXPECT_EQ(resources.size(), static_cast<std::size_t>(kBuilds)) << "a version each";
  for (int version = 1; version <= kBuilds; ++version) {
    const Json image = Image("app", version);
    EXPECT_EQ(image.value("state", ""), "Succeeded") << version;
    digests.insert(image.value("digest", ""));
  }
  EXPECT_EQ(digests.size(), 1u) << "the same inputs, one digest";
  EXPECT_EQ(Image("app", kBuilds + 1).value("code", ""), "Image.NotFound");
}

TEST_F(ImageBuild, OneThatIsCancelledLeavesNothingHalfMade) {
  const std::string operation = Start("app");
  // Packing the scoring server takes longer than it takes to ask.
  EXPECT_EQ(Ask("DELETE", "/api/v1/operations/" + operation).status, 202);
  const Json ended = Await(operation);
  ASSERT_EQ(ended.value("state", ""), "Cancelled") << DumpJson(ended);
  const Json image = Image("app", 1);
  EXPECT_EQ(image.value("state", ""), "Failed");
  EXPECT_EQ(image.value("digest", "x"), "");
  EXPECT_FALSE(image.value("error", "").empty());
  EXPECT_TRUE(std::filesystem::is_empty(running_.workspace().temp_folder()));
  const auto used =
      Ask("POST", std::string(kLab) + "/services", R"({"name": "svc", "image": "app:1"})");
  EXPECT_EQ(used.status, 409) << used.body;
  EXPECT_THAT(used.body, HasSubstr("Image.NotReady"));
  EXPECT_EQ(Await(Start("app")).value("state", ""), "Succeeded") << "and it can be built again";
}

TEST_F(ImageBuild, AScriptInAWrongEncodingIsNamedByLineAndNothingIsMade) {
  struct Case {
    const char* text;
    const char* why;
  };
  const Case cases[] = {
      {"def init():\n    pass\n# caf\xE9\n", "line 3"},
      {"\xFF\xFE"
       "d\0e\0f\0",
       "UTF-16"},
      {"# coding: utf-8\n# \xC0\xAF\n", "which the file says it is"},
  };
  for (const Case& one : cases) {
    const Json script = Put("score.py", one.text);
    const auto refused =
        Ask("POST", std::string(kLab) + "/images",
            DumpJson({{"name", "app"}, {"models", Json::array({"model:1"})}, {"script", script}}));
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("Image.ScriptEncoding"));
    EXPECT_THAT(refused.body, HasSubstr(one.why));
  }
  EXPECT_EQ(Get(std::string(kLab) + "/images").value("items", Json()), Json::array());
}

TEST_F(ImageBuild, NamesThatTheOldServiceRefusedAreRefused) {
  struct Case {
    const char* path;
    Json body;
    const char* code;
  };
  const Json model = Json::array({Put("m.onnx", testing::MakeTinyOnnx())});
  const std::string base = kLab;
  std::vector<Case> cases;
  for (const char* name :
       {"ab", "Upper", "1digit", "-dash", "under_score", "dot.ted", "sp ace", ""}) {
    cases.push_back({"/services", {{"name", name}, {"model", "model:1"}}, "Service.Name"});
  }
  cases.push_back(
      {"/services", {{"name", std::string(33, 'a')}, {"model", "model:1"}}, "Service.Name"});
  for (const char* name : {"", "a/b", "a:b", "sp ace", ".dot"}) {
    cases.push_back({"/models", {{"name", name}, {"files", model}}, "Model.Name"});
    cases.push_back(
        {"/images", {{"name", name}, {"models", Json::array({"model:1"})}}, "Image.Name"});
  }
  for (const Case& one : cases) {
    const auto refused = Ask("POST", base + one.path, DumpJson(one.body));
    EXPECT_EQ(refused.status, 400) << one.path << " " << DumpJson(one.body) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr(one.code)) << DumpJson(one.body);
  }
}

}  // namespace
}  // namespace slipway::workspace
