// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "deployer/deployer.h"
#include "deployer/docker/record.h"
#include "tests/support/fake_docker.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// A state folder, an engine in this program, and a driver on them.
class DockerTargetTest : public ::testing::Test {
 protected:
  DockerTargetTest() : client_(http::MakeClient({.retries = 0})) { Open(); }
  ~DockerTargetTest() override {
    if (driver_ == nullptr) Open();
    EXPECT_TRUE(driver_->Remove(key_));
    for (const std::string& wrong : docker_.violations()) ADD_FAILURE() << wrong;
  }

  void Open() {
    targets_ = Targets::Make({.run_folder = state_ / "run",
                              .log_folder = state_ / "logs",
                              .http = *client_,
                              .clock = SystemClock()});
    auto driver = targets_->Find("docker");
    ASSERT_TRUE(driver) << driver.error().message;
    driver_ = *driver;
  }
  void Close() {
    targets_.reset();
    driver_ = nullptr;
  }

  DeploySpec Spec(const std::string& mode, const std::string& say = "hello",
                  std::int64_t revision = 1) {
    DeploySpec spec{.workspace = "w",
                    .service = "s",
                    .revision = revision,
                    .image_reference = "digits:1",
                    .image_digest = "sha256:" + std::string(64, 'a'),
                    .environment = {"FAKE=" + mode, "SAY=" + say}};
    spec.deployment = DefaultDeployment("docker");
    spec.deployment.docker.host = docker_.host();
    spec.archive = [this]() -> Result<fs::path> {
      ++archives_;
      const fs::path file = state_ / "image.tar";
      std::ofstream(file) << "digits:1 " << archive_architecture_;
      return file;
    };
    return spec;
  }
  Result<Observed> Wait(int seconds = 30) {
    return WaitReady(*driver_, key_, SystemClock(), {.timeout = std::chrono::seconds(seconds)});
  }
  std::string Ask(const std::string& endpoint, const std::string& path = "/score") const {
    auto response = client_->Send({.method = "POST", .target = endpoint + path});
    if (!response) return "error: " + response.error().message;
    return response->status == 200 ? response->body : "status " + std::to_string(response->status);
  }
  DockerRecord Record() const {
    auto text = ReadFile(state_ / "run/docker/w.s.json", 1 << 20);
    EXPECT_TRUE(text);
    return *ParseDockerRecord(*text);
  }
  template <class Done>
  static bool Eventually(Done done) {
    for (int i = 0; i < 1500; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
  }

  testing::TempDir state_;
  testing::FakeDocker docker_{state_ / "docker.sock"};
  const ServiceKey key_{"w", "s"};
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Targets> targets_;
  Driver* driver_ = nullptr;
  std::string archive_architecture_ = "amd64";
  int archives_ = 0;
};

TEST_F(DockerTargetTest, StartsAnswersAndIsRemoved) {
  auto applied = driver_->Apply(Spec("ok"));
  ASSERT_TRUE(applied) << applied.error().message;
  auto ready = Wait();
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(Ask(ready->endpoint), "hello");
  EXPECT_EQ(ready->revision, 1);
  const auto log = driver_->Logs(key_, 10);
  ASSERT_TRUE(log);
  EXPECT_EQ(*log, "the program starts\n");
  ASSERT_EQ(docker_.containers().size(), 1U);
  const Json body = docker_.body_of(docker_.containers()[0]);
  EXPECT_EQ(body["HostConfig"]["CapDrop"], Json({"ALL"}));
  EXPECT_EQ(body["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
  EXPECT_EQ(body["HostConfig"]["PortBindings"]["5001/tcp"][0]["HostIp"], "127.0.0.1");
  EXPECT_EQ(body["Labels"]["io.slipway.service"], "s");
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_TRUE(docker_.containers().empty());
  EXPECT_EQ(Ask(ready->endpoint).substr(0, 5), "error");
  EXPECT_FALSE(fs::exists(state_ / "run/docker/w.s.json"));
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
  EXPECT_TRUE(driver_->Remove(key_));
}

TEST_F(DockerTargetTest, BringsTheImageOnce) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  ASSERT_TRUE(driver_->Apply(Spec("ok", "again", 2)));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(archives_, 1);
  EXPECT_EQ(docker_.images(), std::vector<std::string>{"slipway/digits:" + std::string(64, 'a')})
      << "names that are not Slipway's stay as they were";
  EXPECT_EQ(docker_.count("POST /images/load"), 1);
}

TEST_F(DockerTargetTest, UpdateLosesNoRequest) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto ready = Wait();
  ASSERT_TRUE(ready) << ready.error().message;
  std::atomic<bool> stop = false;
  std::atomic<int> ones = 0, twos = 0;
  std::mutex mutex;
  std::vector<std::string> lost;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      auto own = http::MakeClient({.retries = 0});
      const std::string path = i % 2 == 0 ? "/score" : "/score?ms=150";
      while (!stop) {
        auto answer = own->Send({.method = "POST", .target = ready->endpoint + path});
        if (answer && answer->status == 200 && answer->body == "one") {
          ++ones;
        } else if (answer && answer->status == 200 && answer->body == "two") {
          ++twos;
        } else {
          const std::lock_guard lock(mutex);
          lost.push_back(answer ? std::to_string(answer->status) + answer->body
                                : answer.error().message);
        }
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return ones > 50; }));
  ASSERT_TRUE(driver_->Apply(Spec("ok", "two", 2)));
  auto after = Wait();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->endpoint, ready->endpoint);
  EXPECT_EQ(after->revision, 2);
  EXPECT_TRUE(Eventually([&] { return docker_.containers().size() == 1; }));
  const int before = twos;
  EXPECT_TRUE(Eventually([&] { return twos > before + 50; }));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(lost.empty()) << lost.size() << " lost, the first: " << lost.front();
  EXPECT_GT(ones, 0);
  EXPECT_EQ(Ask(after->endpoint), "two");
}

TEST_F(DockerTargetTest, RevisionThatFailsLeavesTheOldOne) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  ASSERT_TRUE(driver_->Apply(Spec("exit:1", "no such table", 2)));
  const auto failed = Wait();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().id, "Service.Exited");
  EXPECT_NE(failed.error().message.find("cannot go on: no such table"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(Ask(ready->endpoint), "one");
  EXPECT_EQ(docker_.containers().size(), 1U);
  EXPECT_NE(driver_->Logs(key_, 3)->find("no such table"), std::string::npos);
  // Going back to what still runs starts nothing.
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one", 1)));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(docker_.count("POST /containers/create"), 2);
}

TEST_F(DockerTargetTest, IsFoundAgain) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  Close();
  EXPECT_EQ(Ask(ready->endpoint), "one") << "it outlives the program that started it";
  Open();
  const auto again = driver_->Observe(key_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->phase, Phase::kHealthy);
  EXPECT_EQ(again->endpoint, ready->endpoint);
  EXPECT_EQ(docker_.count("POST /containers/create"), 1);
}

TEST_F(DockerTargetTest, UpdateCutOffGoesOn) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  ASSERT_TRUE(Wait());
  ASSERT_TRUE(driver_->Apply(Spec("never", "two", 2)));
  Close();
  Open();
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kPending);
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one", 1)));
  const auto ready = Wait();
  ASSERT_TRUE(ready);
  EXPECT_EQ(Ask(ready->endpoint), "one");
  EXPECT_EQ(docker_.containers().size(), 1U);
}

TEST_F(DockerTargetTest, SuspendsAndResumesOnTheSamePort) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  ASSERT_TRUE(driver_->Suspend());
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kStopped);
  EXPECT_EQ(Ask(ready->endpoint).substr(0, 5), "error");
  Close();
  Open();
  ASSERT_TRUE(driver_->Resume());
  const auto again = Wait();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->endpoint, ready->endpoint);
  EXPECT_EQ(Ask(again->endpoint), "hello");
}

TEST_F(DockerTargetTest, SuspendsWhatStillAnswersItsLastRequests) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "one")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  std::string last;
  std::thread caller([&] { last = Ask(ready->endpoint, "/score?ms=2000"); });
  std::this_thread::sleep_for(milliseconds(200));
  ASSERT_TRUE(driver_->Apply(Spec("ok", "two", 2)));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(docker_.containers().size(), 2U);
  ASSERT_TRUE(driver_->Suspend());
  EXPECT_EQ(docker_.containers().size(), 1U);
  caller.join();
  EXPECT_EQ(last, "one");
}

TEST_F(DockerTargetTest, RelayThatDiesComesBackOnTheSamePort) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  const ProcessId relay = Record().relay.id;
  ASSERT_TRUE(Terminate(relay, milliseconds(0)));
  EXPECT_TRUE(Eventually([&] { return Ask(ready->endpoint) == "hello"; }));
  EXPECT_NE(Record().relay.id.pid, relay.pid);
}

TEST_F(DockerTargetTest, KeysGoToTheContainerAndNowhereElse) {
  DeploySpec spec = Spec("ok");
  spec.deployment.auth_enabled = true;
  spec.deployment.primary_key = "primary-secret";
  spec.deployment.secondary_key = "secondary-secret";
  ASSERT_TRUE(driver_->Apply(spec));
  ASSERT_TRUE(Wait());
  const Json env = docker_.body_of(docker_.containers()[0])["Env"];
  EXPECT_NE(DumpJson(env).find("SLIPWAY_AUTH_KEYS=primary-secret,secondary-secret"),
            std::string::npos);
  auto text = ReadFile(state_ / "run/docker/w.s.json", 1 << 20);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find("secret"), std::string::npos);
  EXPECT_EQ(fs::status(state_ / "run/docker/w.s.json").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(DockerTargetTest, WaitsForARevisionThatIsSlow) {
  ASSERT_TRUE(driver_->Apply(Spec("never")));
  const auto late = Wait(1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().id, "Service.NotReady");
  EXPECT_NE(late.error().message.find("still loading"), std::string::npos) << late.error().message;
}

TEST_F(DockerTargetTest, SaysWhatHappenedToARunningService) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  const std::string container = docker_.containers()[0];
  docker_.Crash(container, 1, 2);
  auto seen = driver_->Observe(key_);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->phase, Phase::kUnhealthy);
  EXPECT_EQ(seen->cause, "Exited");
  EXPECT_EQ(seen->restarts, 2);
  docker_.Crash(container, 1, 6);
  seen = driver_->Observe(key_);
  EXPECT_EQ(seen->phase, Phase::kFailed);
  EXPECT_EQ(seen->cause, "CrashLoop");
  docker_.Lose(container);
  seen = driver_->Observe(key_);
  EXPECT_EQ(seen->phase, Phase::kFailed);
  EXPECT_EQ(seen->cause, "ContainerMissing");
}

TEST_F(DockerTargetTest, DividesRequestsAndLosesNone) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "plain")));
  const auto plain = Wait();
  ASSERT_TRUE(plain) << plain.error().message;
  std::atomic<bool> stop = false;
  std::atomic<int> ones = 0, twos = 0, others = 0, lost = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&, i] {
      auto own = http::MakeClient({.retries = 0});
      const std::string path = i % 2 == 0 ? "/score" : "/score?ms=80";
      while (!stop) {
        const auto answer = own->Send({.method = "POST", .target = plain->endpoint + path});
        const std::string body = answer && answer->status == 200 ? answer->body : "lost";
        ++(body == "one" ? ones : body == "two" ? twos : body == "lost" ? lost : others);
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return others > 20; }));
  DeploySpec front = Spec("ok", "", 2);
  for (const char* name : {"one", "two"}) {
    DeploySpec side = Spec("ok", name);
    side.service = "s." + std::string(name);
    const auto applied = driver_->Apply(side);
    ASSERT_TRUE(applied) << applied.error().message;
    const auto ready = WaitReady(*driver_, {"w", side.service}, SystemClock(),
                                 {.timeout = std::chrono::seconds(30)});
    ASSERT_TRUE(ready) << ready.error().message;
    front.upstreams.push_back({.url = ready->endpoint, .weight = front.upstreams.empty() ? 4 : 1});
  }
  ASSERT_TRUE(driver_->Apply(front));
  const auto divided = Wait();
  ASSERT_TRUE(divided) << divided.error().message;
  EXPECT_EQ(divided->endpoint, plain->endpoint);
  EXPECT_EQ(divided->revision, 2);
  EXPECT_TRUE(Eventually([&] { return !driver_->Observe(key_)->draining; }));
  EXPECT_EQ(docker_.containers().size(), 2U) << "the one that answered before is gone";
  const int one = ones, two = twos;
  EXPECT_TRUE(Eventually([&] { return twos > two + 60; }));
  EXPECT_NEAR(ones - one, 4 * (twos - two), 24);

  Close();
  Open();
  ASSERT_TRUE(driver_->Resume());
  ASSERT_TRUE(Wait());
  ::kill(Record().relay.id.pid, SIGKILL);
  const int killed = twos;
  EXPECT_TRUE(Eventually([&] { return twos > killed + 5; })) << "the relay is started again";
  const int lost_then = lost;

  ASSERT_TRUE(driver_->Apply(Spec("ok", "after", 3)));
  ASSERT_TRUE(Wait());
  EXPECT_TRUE(Eventually([&] { return !driver_->Observe(key_)->draining; }));
  for (const char* name : {"s.one", "s.two"}) ASSERT_TRUE(driver_->Remove({"w", name}));
  const int before = others;
  EXPECT_TRUE(Eventually([&] { return others > before + 50; }));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(lost, lost_then) << "only the killed relay cost requests";
  EXPECT_EQ(docker_.containers().size(), 1U);
}

}  // namespace
}  // namespace slipway::deployer
