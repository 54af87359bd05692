// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "deployer/deployer.h"
#include "deployer/process/record.h"
#include "deployer/process/socket.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

const fs::path kPrograms = fs::path(SLIPWAY_BINARY_DIR) / "bin";

/// A state folder, an image with the stand-in for the scoring server, and a driver on them.
class ProcessTargetTest : public ::testing::Test {
 protected:
  ProcessTargetTest() : client_(http::MakeClient({.retries = 0})) {
    EXPECT_TRUE(MakeFolders(rootfs_ / "bin"));
    fs::copy_file(kPrograms / "fake_serve", rootfs_ / "bin/fake_serve");
    Open();
  }
  ~ProcessTargetTest() override {
    if (driver_ == nullptr) Open();
    EXPECT_TRUE(driver_->Remove(key_));
  }

  void Open() {
    targets_ = Targets::Make({.run_folder = state_ / "run",
                              .log_folder = state_ / "logs",
                              .http = *client_,
                              .clock = SystemClock()});
    auto driver = targets_->Find("process");
    ASSERT_TRUE(driver) << driver.error().message;
    driver_ = *driver;
  }
  void Close() {
    targets_.reset();
    driver_ = nullptr;
  }

  DeploySpec Spec(const std::string& mode, const std::string& say = "hello",
                  std::int64_t revision = 1) const {
    return {.workspace = "w",
            .service = "s",
            .revision = revision,
            .image_reference = "image:1",
            .rootfs = rootfs_,
            .entrypoint = {"/bin/fake_serve", "--mode", mode, "--say", say}};
  }
  Result<Observed> Wait(int seconds = 60) {
    return WaitReady(*driver_, key_, SystemClock(), {.timeout = std::chrono::seconds(seconds)});
  }
  std::string Ask(const std::string& endpoint, const std::string& path = "/score") const {
    http::Request request;
    request.target = endpoint + path;
    auto response = client_->Send(request);
    return response ? response->body : "error: " + response.error().message;
  }
  ServiceRecord Record() const {
    auto text = ReadFile(state_ / "run/services/w.s.json", 1 << 20);
    EXPECT_TRUE(text);
    return *ParseRecord(*text);
  }
  /// Waits until `done`, at most half a minute.
  template <class Done>
  static bool Eventually(Done done) {
    for (int i = 0; i < 3000; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  testing::TempDir state_;
  const fs::path rootfs_ = state_ / "rootfs";
  const ServiceKey key_{"w", "s"};
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Targets> targets_;
  Driver* driver_ = nullptr;
};

TEST_F(ProcessTargetTest, StartsAnswersAndIsRemoved) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(Ask(ready->endpoint), "hello");
  EXPECT_EQ(ready->revision, 1);
  EXPECT_EQ(ready->restarts, 0);
  auto log = driver_->Logs(key_, 10);
  ASSERT_TRUE(log);
  EXPECT_EQ(*log, "fake_serve: ok starts\n");
  const ProcessId id = Record().current->id;
  EXPECT_TRUE(IsRunning(id));
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_FALSE(IsRunning(id));
  EXPECT_FALSE(fs::exists(state_ / "run/services/w.s.json"));
  EXPECT_FALSE(fs::exists(state_ / "logs/w.s.log"));
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound");
  EXPECT_TRUE(driver_->Remove(key_));
}

TEST_F(ProcessTargetTest, TheSameSpecAgainIsNoWork) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  const ProcessId id = Record().current->id;
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  EXPECT_EQ(Record().current->id, id);
}

TEST_F(ProcessTargetTest, MissingProgramLeavesNothing) {
  DeploySpec spec = Spec("ok");
  spec.entrypoint[0] = "/bin/none";
  auto applied = driver_->Apply(spec);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kNotFound);
  EXPECT_EQ(applied.error().id, "Service.ProgramMissing");
  EXPECT_FALSE(fs::exists(state_ / "run/services/w.s.json"));
  EXPECT_FALSE(driver_->Observe(key_));
}

TEST_F(ProcessTargetTest, PortInUseNamesThePort) {
  auto taken = ListenOn("127.0.0.1", 0);
  ASSERT_TRUE(taken);
  DeploySpec spec = Spec("ok");
  spec.port = taken->port;
  auto applied = driver_->Apply(spec);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().id, "Port.InUse");
  EXPECT_EQ(applied.error().code, Code::kFailedPrecondition);
  EXPECT_NE(applied.error().message.find(std::to_string(taken->port)), std::string::npos);
  EXPECT_FALSE(driver_->Observe(key_));
}

TEST_F(ProcessTargetTest, InvalidModelFailsAtOnceWithItsLogLine) {
  ASSERT_TRUE(driver_->Apply(Spec("exit:3")));
  auto ready = Wait();
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.ModelInvalid");
  EXPECT_NE(ready.error().message.find("(log: fake_serve: exit starts)"), std::string::npos)
      << ready.error().message;
}

TEST_F(ProcessTargetTest, AProgramThatAlwaysEndsIsACrashLoop) {
  ASSERT_TRUE(driver_->Apply(Spec("exit:7")));
  auto ready = Wait();
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.CrashLoop");
  EXPECT_NE(ready.error().message.find("exit status 7"), std::string::npos);
  auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kFailed);
  EXPECT_GE(observed->restarts, 4);
}

TEST_F(ProcessTargetTest, ASignalIsNamed) {
  ASSERT_TRUE(driver_->Apply(Spec("crash")));
  EXPECT_TRUE(Eventually([this] {
    auto observed = driver_->Observe(key_);
    return observed && observed->cause == "Killed" &&
           observed->detail == "signal 11 ended the program";
  }));
}

TEST_F(ProcessTargetTest, WrongAnswersFailForGood) {
  ASSERT_TRUE(driver_->Apply(Spec("wrong")));
  auto ready = Wait();
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.WrongAnswers");
}

TEST_F(ProcessTargetTest, ASlowStartIsPendingUntilReady) {
  ASSERT_TRUE(driver_->Apply(Spec("slow:700")));
  auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kPending);
  EXPECT_TRUE(Wait());
}

TEST_F(ProcessTargetTest, AHangingProgramIsNotReady) {
  ASSERT_TRUE(driver_->Apply(Spec("hang")));
  auto ready = Wait(1);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().id, "Service.NotReady");
  EXPECT_EQ(ready.error().code, Code::kDeadlineExceeded);
}

TEST_F(ProcessTargetTest, RestartsOnTheSamePort) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  const ProcessId id = Record().current->id;
  ASSERT_EQ(::kill(id.pid, SIGKILL), 0);
  EXPECT_EQ(Ask(ready->endpoint), "hello") << "connections wait while the program starts again";
  ASSERT_TRUE(Eventually([&] {
    auto observed = driver_->Observe(key_);
    return observed && observed->phase == Phase::kHealthy && observed->restarts == 1;
  }));
  EXPECT_EQ(driver_->Observe(key_)->endpoint, ready->endpoint);
  EXPECT_NE(Record().current->id, id);
}

TEST_F(ProcessTargetTest, UpdateUnderLoadLosesNoRequest) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "1", 1)));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  std::atomic<bool> stop = false;
  std::atomic<int> asked = 0, wrong = 0;
  std::vector<std::thread> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back([&, i] {
      auto client = http::MakeClient({.retries = 0});
      while (!stop) {
        http::Request request;
        request.target = ready->endpoint + "/score";
        if (i % 2 == 0) request.headers.Set("Connection", "close");
        auto response = client->Send(request);
        ++asked;
        if (response && response->status == 200 && response->body.size() == 1) continue;
        ++wrong;
        ADD_FAILURE() << (response ? std::to_string(response->status) : response.error().message);
      }
    });
  }
  for (std::int64_t revision = 2; revision <= 6; ++revision) {
    ASSERT_TRUE(driver_->Apply(Spec("ok", std::to_string(revision), revision)));
    auto updated = Wait();
    ASSERT_TRUE(updated) << updated.error().message;
    EXPECT_EQ(updated->revision, revision);
    EXPECT_EQ(updated->endpoint, ready->endpoint);
  }
  EXPECT_TRUE(Eventually([&] { return Ask(ready->endpoint) == "6"; }));
  stop = true;
  for (std::thread& user : users) user.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(asked, 50);
}

TEST_F(ProcessTargetTest, ARevisionThatDoesNotStartLeavesTheOldOne) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "old", 1)));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  ASSERT_TRUE(driver_->Apply(Spec("exit:3", "new", 2)));
  auto updated = Wait();
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().id, "Service.ModelInvalid");
  EXPECT_NE(updated.error().message.find("revision 1 stays"), std::string::npos);
  EXPECT_EQ(Ask(ready->endpoint), "old");
  ASSERT_TRUE(driver_->Apply(Spec("ok", "old", 1)));
  auto back = driver_->Observe(key_);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->phase, Phase::kHealthy);
}

TEST_F(ProcessTargetTest, SuspendStopsAndResumeKeepsThePort) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  const ProcessId id = Record().current->id;
  ASSERT_TRUE(driver_->Suspend());
  EXPECT_FALSE(IsRunning(id));
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kStopped);
  Close();
  Open();
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kStopped) << "stays so in the next program";
  ASSERT_TRUE(driver_->Resume());
  auto again = Wait();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->endpoint, ready->endpoint);
  EXPECT_EQ(Ask(again->endpoint), "hello");
}

TEST_F(ProcessTargetTest, ServicesOutliveTheDriverAndAreFoundAgain) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  const ProcessId id = Record().current->id;
  Close();
  EXPECT_EQ(Ask(ready->endpoint), "hello");
  Open();
  auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kHealthy);
  EXPECT_EQ(Record().current->id, id);
}

TEST_F(ProcessTargetTest, AServiceThatEndedMeanwhileIsStartedAgain) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  auto ready = Wait();
  ASSERT_TRUE(ready);
  const ProcessId id = Record().current->id;
  Close();
  ASSERT_TRUE(Terminate(id, milliseconds(5000)));
  Open();
  auto again = Wait();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->endpoint, ready->endpoint);
}

TEST_F(ProcessTargetTest, AProcessTheRecordDoesNotKnowYetIsFoundByItsMark) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  const ProcessId id = Record().current->id;
  Close();
  ServiceRecord record = Record();
  record.current->id = {};
  ASSERT_TRUE(WriteFileAtomic(state_ / "run/services/w.s.json", RecordText(record)));
  Open();
  auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kHealthy);
  ASSERT_TRUE(driver_->Remove(key_));
  EXPECT_FALSE(IsRunning(id));
}

TEST_F(ProcessTargetTest, AProcessWithoutRecordIsStopped) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  const ProcessId id = Record().current->id;
  Close();
  fs::remove(state_ / "run/services/w.s.json");
  Open();
  EXPECT_FALSE(IsRunning(id));
}

TEST_F(ProcessTargetTest, SurvivesAKilledSupervisorAndUpdatesWithoutLoss) {
  Close();
  auto supervisor = Spawn({.argv = {(kPrograms / "fake_supervisor").string(),
                                    state_.path().string(), rootfs_.string(), "a"},
                           .environment = {},
                           .log = state_ / "supervisor.log"});
  ASSERT_TRUE(supervisor) << supervisor.error().message;
  std::string endpoint;
  ASSERT_TRUE(Eventually([&] {
    auto text = ReadFile(state_ / "supervisor.log", 1 << 20);
    const std::size_t at = text ? text->find("http://") : std::string::npos;
    if (at == std::string::npos || text->find('\n', at) == std::string::npos) return false;
    endpoint = text->substr(at, text->find('\n', at) - at);
    return true;
  }));
  ASSERT_EQ(::kill(supervisor->pid, SIGKILL), 0);
  ASSERT_TRUE(WaitForExit(*supervisor, milliseconds(10'000)));
  EXPECT_EQ(Ask(endpoint), "a");
  Open();
  auto observed = driver_->Observe(key_);
  ASSERT_TRUE(observed);
  EXPECT_EQ(observed->phase, Phase::kHealthy);
  EXPECT_EQ(observed->endpoint, endpoint);
  ASSERT_TRUE(driver_->Apply(Spec("ok", "b", 2)));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask(endpoint).size(), 1U);
  auto updated = Wait();
  ASSERT_TRUE(updated) << updated.error().message;
  EXPECT_EQ(updated->endpoint, endpoint);
  EXPECT_TRUE(Eventually([&] { return Ask(endpoint) == "b"; }));
}

TEST_F(ProcessTargetTest, DamagedRecordsAreSkipped) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  Close();
  ASSERT_TRUE(WriteFileAtomic(state_ / "run/services/x.y.json", "{"));
  Open();
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kHealthy);
  EXPECT_FALSE(driver_->Observe({"x", "y"}));
}

TEST(ProcessSocketTest, TakesASocketOnlyFromItsHolder) {
  auto listener = ListenOn("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  auto holder =
      Spawn({.argv = {"/bin/sleep", "60"}, .environment = {}, .keep_fds = {listener->fd.get()}});
  ASSERT_TRUE(holder);
  auto taken = TakeListener(*holder, listener->fd.get(), listener->port);
  EXPECT_TRUE(taken) << taken.error().message;
  EXPECT_FALSE(TakeListener(*holder, listener->fd.get(), listener->port + 1));
  EXPECT_FALSE(TakeListener(*holder, 0, listener->port));
  EXPECT_FALSE(TakeListener(*holder, 999, listener->port));
  ASSERT_TRUE(Terminate(*holder, milliseconds(1000)));
  EXPECT_FALSE(TakeListener(*holder, listener->fd.get(), listener->port));
}

TEST(ProcessSocketTest, EndpointsCanBeAsked) {
  EXPECT_EQ(EndpointOf("0.0.0.0", 80), "http://127.0.0.1:80");
  EXPECT_EQ(EndpointOf("::", 80), "http://[::1]:80");
  EXPECT_EQ(EndpointOf("10.0.0.1", 80), "http://10.0.0.1:80");
}

/// Requests that are sent all the time, and what came back.
class Callers {
 public:
  explicit Callers(const std::string& endpoint, int count = 6) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, endpoint] {
        auto client = http::MakeClient({.retries = 0});
        while (!stop_) {
          const auto answer = client->Send({.method = "POST", .target = endpoint + "/score"});
          const bool good = answer && answer->status == 200;
          const std::lock_guard lock(mutex_);
          if (good) ++seen_[answer->body];
          if (!good) why_ = answer ? answer->body : answer.error().message;
        }
      });
    }
  }
  ~Callers() { Stop(); }
  int Count(const std::string& answer) {
    const std::lock_guard lock(mutex_);
    return seen_[answer];
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    seen_.clear();
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::string why() {
    const std::lock_guard lock(mutex_);
    return why_;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::map<std::string, int> seen_;
  std::string why_;
  std::vector<std::thread> threads_;
};

TEST_F(ProcessTargetTest, DividesRequestsAndLosesNone) {
  ASSERT_TRUE(driver_->Apply(Spec("ok", "plain")));
  const auto plain = Wait();
  ASSERT_TRUE(plain) << plain.error().message;
  Callers callers(plain->endpoint);
  EXPECT_TRUE(Eventually([&] { return callers.Count("plain") > 100; }));

  DeploySpec front = Spec("ok", "", 2);
  front.rootfs.clear();
  front.entrypoint.clear();
  std::vector<ServiceKey> sides;
  for (const char* name : {"one", "two"}) {
    DeploySpec side = Spec("ok", name);
    side.service = "s." + std::string(name);
    sides.push_back({"w", side.service});
    ASSERT_TRUE(driver_->Apply(side));
    const auto ready =
        WaitReady(*driver_, sides.back(), SystemClock(), {.timeout = std::chrono::seconds(60)});
    ASSERT_TRUE(ready) << ready.error().message;
    front.upstreams.push_back({.url = ready->endpoint, .weight = sides.size() == 1 ? 3 : 1});
  }
  ASSERT_TRUE(driver_->Apply(front));
  const auto divided = Wait();
  ASSERT_TRUE(divided) << divided.error().message;
  EXPECT_EQ(divided->endpoint, plain->endpoint);
  EXPECT_EQ(divided->revision, 2);
  EXPECT_TRUE(Eventually([&] { return !driver_->Observe(key_)->draining; }));
  callers.Clear();
  EXPECT_TRUE(Eventually([&] { return callers.Count("two") > 100; }));
  EXPECT_NEAR(callers.Count("one"), 3 * callers.Count("two"), 16);
  EXPECT_EQ(callers.Count("plain"), 0);

  const ProcessId relay = Record().current->id;
  Close();
  Open();
  ASSERT_TRUE(Wait());
  EXPECT_EQ(Record().current->id, relay) << "it goes on across a restart of the workspace service";
  ASSERT_TRUE(driver_->Apply(front));
  EXPECT_EQ(Record().current->id, relay) << "the same again is no work";

  front.upstreams[0].weight = 1;
  ASSERT_TRUE(driver_->Apply(front));
  ASSERT_TRUE(Wait());
  EXPECT_TRUE(Eventually([&] { return !driver_->Observe(key_)->draining; }));
  callers.Clear();
  EXPECT_TRUE(Eventually([&] { return callers.Count("two") > 100; }));
  EXPECT_NEAR(callers.Count("one"), callers.Count("two"), 16);

  ASSERT_TRUE(driver_->Apply(Spec("ok", "after", 3)));
  ASSERT_TRUE(Wait());
  EXPECT_TRUE(Eventually([&] { return !driver_->Observe(key_)->draining; }));
  for (const ServiceKey& side : sides) ASSERT_TRUE(driver_->Remove(side));
  callers.Clear();
  EXPECT_TRUE(Eventually([&] { return callers.Count("after") > 100; }));
  callers.Stop();
  EXPECT_EQ(callers.why(), "") << "a request was lost";
}

TEST_F(ProcessTargetTest, ARelayThatDiesIsStartedAgain) {
  ASSERT_TRUE(driver_->Apply([&] {
    DeploySpec side = Spec("ok", "one");
    side.service = "side";
    return side;
  }()));
  const auto side = WaitReady(*driver_, {"w", "side"}, SystemClock(), {});
  ASSERT_TRUE(side) << side.error().message;
  DeploySpec front = Spec("ok", "", 2);
  front.upstreams = {{.url = side->endpoint}};
  ASSERT_TRUE(driver_->Apply(front));
  const auto ready = Wait();
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(Ask(ready->endpoint), "one");
  ::kill(Record().current->id.pid, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Ask(ready->endpoint) == "one"; }));
  EXPECT_TRUE(Eventually([&] { return driver_->Observe(key_)->restarts == 1; }));
  EXPECT_TRUE(driver_->Remove({"w", "side"}));
  EXPECT_EQ(Ask(ready->endpoint).find("one"), std::string::npos);
}

TEST_F(ProcessTargetTest, ARecordOfAnEarlierVersionIsRead) {
  ASSERT_TRUE(driver_->Apply(Spec("ok")));
  ASSERT_TRUE(Wait());
  const auto text = ReadFile(state_ / "run/services/w.s.json", 1 << 20);
  ASSERT_TRUE(text);
  Json old = *ParseJson(*text);
  ASSERT_TRUE(old["current"]["spec"].contains("upstreams"));
  old["current"]["spec"].erase("upstreams");
  const auto read = ParseRecord(DumpJson(old));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->current->spec.upstreams.empty());
}

}  // namespace
}  // namespace slipway::deployer
