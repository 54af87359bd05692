// SPDX-License-Identifier: Apache-2.0
/// Requests divided between revisions, and back to earlier ones, with the real scoring server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/digest.h"
#include "base/json.h"
#include "tests/workspace/daemon.h"
#include "workspace/service_traffic.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBase = "/api/v1/workspaces/lab";
constexpr const char* kService = "/api/v1/workspaces/lab/services/calc";

/// Which revision's model answered: 3 + 3 or 3 * 3.
std::string Named(const http::Response& response) {
  if (response.status != 200) return "status " + std::to_string(response.status) + response.body;
  if (response.body.find("6.0") != std::string::npos) return "sum";
  return response.body.find("9.0") != std::string::npos ? "product" : response.body;
}

/// Sends requests all the time.
class Callers {
 public:
  Callers(const std::string& endpoint, const std::string& key) {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this, endpoint, key] {
        const auto client = http::MakeClient({.retries = 0});
        http::Request request{
            .method = "POST",
            .target = endpoint + "/score",
            .headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + key}},
            .body = R"({"data": [[3, 3]]})"};
        while (!stop_) {
          const int begun = counts_;
          const auto answer = client->Send(request);
          const std::string name = answer ? Named(*answer) : answer.error().message;
          const std::lock_guard lock(mutex_);
          if (begun == counts_) ++seen_[name];
          if (name != "sum" && name != "product") lost_ = name;
        }
      });
    }
  }
  ~Callers() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  /// What the next requests are answered by, those that begin from now on.
  std::map<std::string, int> Next(int count) {
    {
      const std::lock_guard lock(mutex_);
      ++counts_;
      seen_.clear();
    }
    constexpr int kTries = 6000;
    for (int i = 0; i < kTries; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (seen_["sum"] + seen_["product"] >= count || !lost_.empty()) return seen_;
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
    return {};
  }
  std::string lost() {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> counts_ = 0;  // begun, of requests
  std::mutex mutex_;             // guards those below
  std::map<std::string, int> seen_;
  std::string lost_;
  std::vector<std::thread> threads_;
};

/// A daemon with service `calc`: revision 1 adds, revision 2 multiplies. It asks for keys.
class TrafficTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
    ASSERT_TRUE(daemon_.Start());
    ASSERT_TRUE(daemon_.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
    Image("Add");
    Image("Mul");
    Done(daemon_.Send("POST", std::string(kBase) + "/services",
                      R"({"name": "calc", "image": "calc:1",
                          "deployment": {"auth_enabled": true, "primary_key": "open-sesame"}})"));
    Done(daemon_.Send("PATCH", kService, R"({"image": "calc:2"})"));
  }
  void TearDown() override {
    if (!std::filesystem::exists(ServeProgram())) return;
    daemon_.Await(daemon_.Send("DELETE", kService));
    EXPECT_TRUE(Records().empty()) << "nothing of it runs on";
  }

  void Image(const std::string& op) {
    const std::string onnx = testing::MakeTinyOnnx({.op_type = op});
    const std::string digest = Digest::OfText(onnx).text();
    ASSERT_TRUE(daemon_.Send("PUT", std::string(kBase) + "/blobs/" + digest, onnx));
    const Json files = Json::array({{{"path", "m.onnx"}, {"digest", digest}}});
    ASSERT_TRUE(daemon_.Send("POST", std::string(kBase) + "/models",
                             DumpJson({{"name", "calc"}, {"files", files}})));
    Done(daemon_.Send("POST", std::string(kBase) + "/images",
                      R"({"name": "calc", "models": ["calc"]})"));
  }
  void Done(const Result<http::Response>& answer) {
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(daemon_.Await(answer), "Succeeded") << daemon_.last_error();
  }
  void Divide(const std::string& shares) {
    Done(daemon_.Send("PUT", std::string(kService) + "/traffic", "{\"traffic\": " + shares + "}"));
  }
  std::string Endpoint() { return daemon_.Get(kService).value("endpoint", ""); }
  Json Shares() { return daemon_.Get(kService).value("traffic", Json()); }
  std::vector<std::string> Records() const {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder_ / "state/run/services", error), end;
         !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (at->path().extension() == ".json" && !name.starts_with('.')) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  testing::TempDir folder_;
  Daemon daemon_{folder_ / "state"};
};

TEST_F(TrafficTest, DividesUnderLoadChangesAndGoesBackToOne) {
  Callers callers(Endpoint(), "open-sesame");
  EXPECT_EQ(callers.Next(50)["sum"], 0);
  const std::string endpoint = Endpoint();

  Divide(R"([{"revision": 1, "percent": 90}, {"revision": 2, "percent": 10}])");
  auto seen = callers.Next(1000);
  EXPECT_NEAR(seen["product"], (seen["sum"] + seen["product"]) / 10, 5);
  EXPECT_EQ(Endpoint(), endpoint);
  EXPECT_EQ(Records(),
            (std::vector<std::string>{"lab.calc.json", "lab.calc.v1.json", "lab.calc.v2.json"}));
  const Json service = daemon_.Get(kService);
  EXPECT_EQ(service["revision"], 1) << "what most requests get";
  EXPECT_EQ(service["image"], "calc:1");
  EXPECT_EQ(service["state"], "Healthy");
  const auto in_use = daemon_.Send("DELETE", std::string(kBase) + "/images/calc/versions/2");
  ASSERT_TRUE(in_use);
  EXPECT_THAT(in_use->body, HasSubstr("Image.InUse")) << "a tenth of the requests need it";

  Divide(R"([{"revision": 2, "percent": 60}, {"revision": 1, "percent": 40}])");
  seen = callers.Next(1000);
  EXPECT_NEAR(seen["product"], (seen["sum"] + seen["product"]) * 6 / 10, 5);

  // An update takes all of them.
  Done(daemon_.Send("PATCH", kService, R"({"image": "calc:1"})"));
  EXPECT_EQ(callers.Next(200)["product"], 0);
  EXPECT_EQ(Shares(), *ParseJson(R"([{"revision": 3, "percent": 100}])"));
  EXPECT_EQ(Records(), std::vector<std::string>{"lab.calc.json"});

  // Back to the one before, as a revision of its own.
  Done(daemon_.Send("POST", std::string(kService) + "/revisions", "{}"));
  EXPECT_EQ(callers.Next(200)["sum"], 0);
  const Json revisions = daemon_.Items(std::string(kService) + "/revisions");
  ASSERT_EQ(revisions.size(), 4u);
  EXPECT_EQ(revisions[0]["revision"], 4);
  EXPECT_EQ(revisions[0]["same_as"], 2);
  EXPECT_EQ(revisions[0]["percent"], 100);
  EXPECT_EQ(revisions[0]["image"], "calc:2");
  EXPECT_EQ(revisions[3]["image"], "calc:1");

  // All of them to an old one, which then is the service again.
  Divide(R"([{"revision": 1, "percent": 100}])");
  EXPECT_EQ(callers.Next(200)["product"], 0);
  EXPECT_EQ(daemon_.Get(kService)["revision"], 1);
  Done(daemon_.Send("PATCH", kService, R"({"image": "calc:2"})"));
  EXPECT_EQ(daemon_.Get(kService)["revision"], 5) << "no number is given twice";
  callers.Stop();
  EXPECT_EQ(callers.lost(), "");
}

TEST_F(TrafficTest, SurvivesThatTheDaemonIsKilledAndStopped) {
  Divide(R"([{"revision": 1, "percent": 50}, {"revision": 2, "percent": 50}])");
  const std::string endpoint = Endpoint();
  Callers callers(endpoint, "open-sesame");
  callers.Next(50);
  daemon_.Kill();
  EXPECT_EQ(callers.Next(100).count("lost"), 0u) << "it serves on";
  ASSERT_TRUE(daemon_.Start());
  auto seen = callers.Next(400);
  EXPECT_NEAR(seen["product"], (seen["sum"] + seen["product"]) / 2, 5);
  callers.Stop();
  EXPECT_EQ(callers.lost(), "");
  EXPECT_TRUE(daemon_.Stop());
  ASSERT_TRUE(daemon_.Start());
  for (int i = 0; i < 1000 && daemon_.Get(kService)["state"] != "Healthy"; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(daemon_.Get(kService)["state"], "Healthy");
  EXPECT_EQ(Endpoint(), endpoint);
  Callers again(endpoint, "open-sesame");
  seen = again.Next(400);
  EXPECT_NEAR(seen["product"], (seen["sum"] + seen["product"]) / 2, 5);
  again.Stop();
  EXPECT_EQ(again.lost(), "");
}

TEST_F(TrafficTest, EachRevisionAsksForTheKeysOfNow) {
  Divide(R"([{"revision": 1, "percent": 50}, {"revision": 2, "percent": 50}])");
  const auto set = daemon_.Send("POST", std::string(kService) + "/keys",
                                R"({"key": "primary", "value": "another-word"})");
  ASSERT_TRUE(set);
  ASSERT_EQ(set->status, 200) << set->body;
  Callers callers(Endpoint(), "another-word");
  const auto seen = callers.Next(100);
  callers.Stop();
  EXPECT_EQ(callers.lost(), "");
  EXPECT_EQ(seen.size(), 2u);
  const auto client = http::MakeClient({.retries = 0});
  for (int i = 0; i < 4; ++i) {
    const auto old = client->Send({.method = "POST",
                                   .target = Endpoint() + "/score",
                                   .headers = {{"Authorization", "Bearer open-sesame"}},
                                   .body = "{}"});
    ASSERT_TRUE(old);
    EXPECT_EQ(old->status, 401);
  }
}

TEST_F(TrafficTest, RefusesWhatMakesNoSense) {
  const auto says = [this](const std::string& body, int status, const std::string& words) {
    const auto answer = daemon_.Send("PUT", std::string(kService) + "/traffic", body);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status) << body << answer->body;
    EXPECT_THAT(answer->body, HasSubstr(words)) << body;
  };
  says(R"({"traffic": [{"revision": 1, "percent": 90}]})", 400, "add up to 90, not to 100");
  says(R"({"traffic": []})", 400, "add up to 0");
  says(R"({"traffic": [{"revision": 1, "percent": 50}, {"revision": 1, "percent": 50}]})", 400,
       "revision 1 is given twice");
  says(R"({"traffic": [{"revision": 1, "percent": 150}, {"revision": 2, "percent": -50}]})", 400,
       "cannot get 150 percent");
  says(R"({"traffic": [{"revision": 1, "percent": 50}, {"revision": 7, "percent": 50}]})", 404,
       "has no revision 7; it has 2, 1");
  says(R"({"traffic": [{"revision": 1}]})", 400, "percent");
  says("{}", 400, "traffic");
  const auto back = daemon_.Send("POST", std::string(kService) + "/revisions", R"({"to": 9})");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->status, 404) << back->body;
  EXPECT_EQ(Shares(), *ParseJson(R"([{"revision": 2, "percent": 100}])"));
  EXPECT_EQ(daemon_.Get(kService)["state"], "Healthy");
}

TEST_F(TrafficTest, WhatCannotStartChangesNothing) {
  // Revision 1's image cannot be had any more.
  ASSERT_TRUE(daemon_.Send("DELETE", std::string(kBase) + "/images/calc/versions/1"));
  const auto gone = daemon_.Send(
      "PUT", std::string(kService) + "/traffic",
      R"({"traffic": [{"revision": 1, "percent": 50}, {"revision": 2, "percent": 50}]})");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->status, 404) << gone->body;
  EXPECT_THAT(gone->body, HasSubstr("Image.NotFound"));
  EXPECT_EQ(daemon_.Get(kService)["state"], "Healthy");
  EXPECT_EQ(Records(), std::vector<std::string>{"lab.calc.json"});
}

/// A daemon that is killed while it divides: the requests go where they went, or where they are to.
TEST_F(TrafficTest, KilledOnTheWayLeavesNothingHalf) {
  for (const int wait_ms : {0, 10, 30, 60, 120, 250}) {
    const auto asked = daemon_.Send(
        "PUT", std::string(kService) + "/traffic",
        R"({"traffic": [{"revision": 1, "percent": 50}, {"revision": 2, "percent": 50}]})");
    ASSERT_TRUE(asked);
    ASSERT_EQ(asked->status, 202) << asked->body;
    std::this_thread::sleep_for(milliseconds(wait_ms));
    daemon_.Kill();
    ASSERT_TRUE(daemon_.Start());
    for (int i = 0; i < 1000 && daemon_.Get(kService)["state"] != "Healthy"; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    const bool divided = Shares().size() == 2;
    const std::size_t wanted = divided ? 3 : 1;
    for (int i = 0; i < 6000 && Records().size() != wanted; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(Records().size(), wanted) << wait_ms;
    Callers callers(Endpoint(), "open-sesame");
    auto seen = callers.Next(100);
    callers.Stop();
    EXPECT_EQ(callers.lost(), "") << wait_ms;
    EXPECT_EQ(seen["sum"] > 0, divided) << wait_ms;
    Divide(R"([{"revision": 2, "percent": 100}])");
  }
}

}  // namespace
}  // namespace slipway::workspace
