// SPDX-License-Identifier: Apache-2.0
/// What is secret is in no answer, no log, no plan, no layer, and in no file but those for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "tests/support/fake_registry.h"
#include "tests/workspace/daemon.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLab = "/api/v1/workspaces/lab";
const std::string kPassword = "hush-registry-password-0451";
const std::string kKey = "hush-primary-key-0451";
const std::string kOther = "hush-secondary-key-0451";

std::string Content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

class Secrets : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
    registry_.Change([](testing::FakeRegistry::State& state) {
      state.auth = testing::FakeRegistry::Auth::kBasic;
      state.password = kPassword;
    });
    ASSERT_TRUE(daemon_.Start());
    ASSERT_TRUE(daemon_.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
    const std::string onnx = testing::MakeTinyOnnx();
    const std::string digest = Digest::OfText(onnx).text();
    ASSERT_TRUE(daemon_.Send("PUT", std::string(kLab) + "/blobs/" + digest, onnx));
    ASSERT_TRUE(
        Post("/models",
             {{"name", "m"}, {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}}));
  }
  Result<http::Response> Post(const std::string& path, const Json& body) {
    return daemon_.Send("POST", kLab + path, DumpJson(body));
  }

  testing::TempDir folder_;
  testing::FakeRegistry registry_;
  Daemon daemon_{folder_ / "state"};
};

TEST_F(Secrets, AreNowhereButWhereTheyAreNeeded) {
  ASSERT_EQ(daemon_.Await(Post("/images", {{"name", "app"}, {"models", Json::array({"m:1"})}})),
            "Succeeded");
  const std::string reference = registry_.host() + "/team/app:1";
  const Json login{{"reference", reference},
                   {"username", "robot"},
                   {"password", kPassword},
                   {"plain_http", true}};
  ASSERT_EQ(daemon_.Await(Post("/images/app/versions/1/push", login)), "Succeeded")
      << daemon_.last_error();
  Json wrong = login;
  wrong["password"] = kPassword + "-wrong";
  EXPECT_EQ(daemon_.Await(Post("/images/app/versions/1/push", wrong)), "Failed");
  EXPECT_THAT(daemon_.last_error(), Not(HasSubstr(kPassword)));
  const Json deployment{{"auth_enabled", true}, {"primary_key", kKey}, {"secondary_key", kOther}};
  ASSERT_EQ(daemon_.Await(Post("/services",
                               {{"name", "svc"}, {"image", "app:1"}, {"deployment", deployment}})),
            "Succeeded")
      << daemon_.last_error();
  ASSERT_TRUE(daemon_.Send("PUT", std::string(kLab) + "/environments/prod",
                           DumpJson({{"deployment", deployment}})));
  ASSERT_EQ(daemon_.Await(Post("/promotions", {{"model", "m:1"}, {"environment", "prod"}})),
            "Succeeded")
      << daemon_.last_error();
  // A refused request with a secret in it.
  const auto refused = Post(
      "/services", {{"name", "other"}, {"image", "app:1"}, {"deployment", {{"primary_ky", kKey}}}});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 400);
  EXPECT_THAT(refused->body, Not(HasSubstr(kKey)));

  std::vector<std::string> paths = {"/services",
                                    "/services/svc",
                                    "/images",
                                    "/environments",
                                    "/environments/prod",
                                    "/promotions",
                                    "/operations",
                                    "/audit",
                                    "/images/app/versions/1",
                                    "/images/app/versions/1/logs",
                                    "/services/svc/logs",
                                    "/services/svc/revisions"};
  for (const Json& operation : daemon_.Items(std::string(kLab) + "/operations")) {
    const std::string path = "/api/v1/operations/" + operation.value("id", "");
    EXPECT_THAT(DumpJson(daemon_.Get(path)), Not(HasSubstr("hush-"))) << path;
  }
  for (const std::string& path : paths) {
    const auto answer = daemon_.Send("GET", kLab + path);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200) << path;
    EXPECT_THAT(answer->body, Not(HasSubstr("hush-"))) << path;
  }
  const auto plan = Post("/images/plan", {{"name", "app"}, {"models", Json::array({"m:1"})}});
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->body, Not(HasSubstr("hush-")));

  EXPECT_TRUE(daemon_.Stop());
  EXPECT_THAT(Content(folder_.path() / "state.log"), Not(HasSubstr("hush-"))) << "its log";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "state")) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(folder_ / "state").string();
    const std::string content = Content(entry.path());
    EXPECT_THAT(content, Not(HasSubstr(kPassword))) << name;
    // Keys are the service's, for its owner alone.
    if (content.find("hush-") == std::string::npos) continue;
    EXPECT_TRUE(name.starts_with("run/keys/") || name.starts_with("slipway.db")) << name;
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    const auto folder = std::filesystem::status(folder_ / "state").permissions();
    const bool shut = (entry.status().permissions() & others) == std::filesystem::perms::none ||
                      (folder & others) == std::filesystem::perms::none;
    EXPECT_TRUE(shut) << name << " can be read by others";
  }
}

}  // namespace
}  // namespace slipway::workspace
