// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "deployer/aci/group.h"
#include "tests/deployer/aci/fixture.h"

namespace slipway::deployer {
namespace {

class AciTargetTest : public ::testing::Test, protected AciFixture {
 protected:
  ~AciTargetTest() override {
    for (const std::string& wrong : azure_.violations()) ADD_FAILURE() << wrong;
  }
  Result<Observed> Wait(int seconds = 30) {
    return WaitReady(*driver_, key_, SystemClock(), {.timeout = std::chrono::seconds(seconds)});
  }
  std::string Ask(const std::string& endpoint) const {
    auto response = client_->Send({.method = "POST", .target = endpoint + "/score"});
    return response ? response->body : "error: " + response.error().message;
  }
  std::string StateText() const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(state_.path())) {
      if (entry.is_regular_file()) all += *ReadFile(entry.path(), 1 << 20);
    }
    return all;
  }
};

TEST_F(AciTargetTest, RunsAGroupAndDeletesIt) {
  DeploySpec spec = Spec("ok");
  spec.deployment.auth_enabled = true;
  spec.deployment.primary_key = "primary-secret";
  spec.deployment.image_registry = {.address = "", .username = "u", .password = "reg-secret"};
  auto applied = driver_->Apply(spec);
  ASSERT_TRUE(applied) << applied.error().message;
  auto ready = Wait();
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(Ask(ready->endpoint), "hello");
  EXPECT_EQ(ready->revision, 1);
  ASSERT_EQ(azure_.groups().size(), 1U);
  const Json body = azure_.body_of(azure_.groups()[0]);
  EXPECT_EQ(body["location"], "westeurope");
  const Json& container = body["properties"]["containers"][0]["properties"];
  EXPECT_EQ(container["resources"]["requests"]["cpu"], 0.1);
  EXPECT_EQ(container["resources"]["requests"]["memoryInGB"], 0.5);
  EXPECT_EQ(container["livenessProbe"]["initialDelaySeconds"], 310);
  EXPECT_EQ(body["properties"]["imageRegistryCredentials"][0]["server"], "r.example");
  bool secure = false;
  for (const Json& variable : container["environmentVariables"]) {
    EXPECT_NE(variable.value("value", ""), "primary-secret");
    secure = secure || variable.value("secureValue", "") == "primary-secret";
  }
  EXPECT_TRUE(secure);
  EXPECT_NE(driver_->Logs(key_, 10)->find("the program starts"), std::string::npos);
  EXPECT_EQ(StateText().find("secret"), std::string::npos) << "a secret is in the state folder";
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_TRUE(azure_.groups().empty());
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
  if (!azure_.has_schema())
    GTEST_SKIP() << "../shared/spec/aci is not there: nothing was validated";
}

TEST_F(AciTargetTest, NextRevisionTakesOverFromOneThatStillAnswers) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto first = Wait();
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(driver_->Apply(Spec("ok", "two", 2)));
  auto second = Wait();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->revision, 2);
  EXPECT_EQ(Ask(second->endpoint), "two");
  EXPECT_EQ(Ask(first->endpoint), "one") << "who holds the old address is still answered";
  EXPECT_EQ(azure_.groups().size(), 2U);
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_TRUE(azure_.groups().empty());
}

TEST_F(AciTargetTest, GroupWithAnAddressOfItsOwnKeepsIt) {
  DeploySpec spec = Spec("ok", "one");
  spec.deployment.dns_name_label = "my-digits";
  ASSERT_TRUE(driver_->Apply(spec));
  auto first = Wait();
  ASSERT_TRUE(first) << first.error().message;
  DeploySpec next = Spec("ok", "two", 2);
  next.deployment.dns_name_label = "my-digits";
  ASSERT_TRUE(driver_->Apply(next));
  auto second = Wait();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->endpoint, first->endpoint);
  EXPECT_EQ(Ask(second->endpoint), "two");
  EXPECT_EQ(azure_.groups().size(), 1U);
  ASSERT_TRUE(driver_->Remove(key_));
}

TEST_F(AciTargetTest, RevisionThatFailsLeavesTheOldOne) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto first = Wait();
  ASSERT_TRUE(first);
  ASSERT_TRUE(driver_->Apply(Spec("crash", "no such table", 2)));
  const auto failed = Wait();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().id, "Service.CrashLoopBackOff");
  EXPECT_NE(failed.error().message.find("cannot go on: no such table"), std::string::npos);
  EXPECT_EQ(Ask(first->endpoint), "one");
  EXPECT_EQ(azure_.groups().size(), 1U);
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one", 1)));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(azure_.count("PUT"), 2);
  ASSERT_TRUE(driver_->Remove(key_));
}

TEST_F(AciTargetTest, LogsInAgainWhenTheTokenHasExpired) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(azure_.count("LOGIN"), 1);
  azure_.ExpireTokens();
  auto log = driver_->Logs(key_, 5);
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(azure_.count("LOGIN"), 2);
  EXPECT_EQ(azure_.count("UNAUTHORIZED"), 1);
  ASSERT_TRUE(driver_->Remove(key_));
}

TEST_F(AciTargetTest, WaitsAsLongAsAzureAsks) {
  azure_.Break("PUT", {.status = 429,
                       .code = "TooManyRequests",
                       .message = "slow down",
                       .times = 1,
                       .retry_after = "1"});
  const auto began = std::chrono::steady_clock::now();
  auto applied = driver_->Apply(Spec("ok"));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(900));
  ASSERT_TRUE(Wait());
  ASSERT_TRUE(driver_->Remove(key_));
}

TEST_F(AciTargetTest, IsFoundAgain) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  targets_.reset();
  Open();
  const auto again = driver_->Observe(key_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->phase, Phase::kHealthy);
  EXPECT_EQ(again->endpoint, ready->endpoint);
  ASSERT_TRUE(driver_->Remove(key_));
}

/// Azure's own example answers are read for what they say.
TEST(AciGroup, ReadsThePublishedExamples) {
  const std::filesystem::path folder =
      std::filesystem::path(SLIPWAY_SOURCE_DIR) / "../shared/spec/aci/examples";
  const auto failed = ReadFile(folder / "ContainerGroupsGet_Failed.json", 1 << 20);
  const auto fine = ReadFile(folder / "ContainerGroupsGet_Succeeded.json", 1 << 20);
  if (!failed || !fine) GTEST_SKIP() << "../shared/spec/aci is not there";
  const AciState bad = ReadAciGroup(ParseJson(*failed)->at("responses").at("200").at("body"));
  EXPECT_TRUE(bad.final);
  EXPECT_EQ(bad.provisioning, "Failed");
  EXPECT_EQ(bad.cause, "CloudFailed");
  const AciState good = ReadAciGroup(ParseJson(*fine)->at("responses").at("200").at("body"));
  EXPECT_FALSE(good.final);
  EXPECT_EQ(good.provisioning, "Succeeded");
  EXPECT_EQ(good.endpoint, "http://10.0.0.1");
  EXPECT_EQ(ReadAciGroup(Json(nullptr)).endpoint, "");
  for (const char* odd :
       {R"({"properties": 3})", R"({"properties": {"containers": [3], "ipAddress": 7}})",
        R"({"properties": {"containers": [{"properties": {"instanceView": 1}}]}})",
        R"({"properties": {"containers": [{"properties": {"instanceView": {"events": [1],
            "currentState": 2, "previousState": "x", "restartCount": "y"}}}]}})"}) {
    EXPECT_EQ(ReadAciGroup(*ParseJson(odd)).cause, "") << odd;
  }
}

}  // namespace
}  // namespace slipway::deployer
