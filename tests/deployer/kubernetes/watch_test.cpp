// SPDX-License-Identifier: Apache-2.0
/// What the target asks of a cluster while nothing happens, and how soon it knows when something
/// does.
#include <gmock/gmock.h>

#include <thread>

#include "tests/deployer/kubernetes/fixture.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = FakeKubernetes::WatchFault;

class KubernetesWatch : public KubernetesTarget {
 protected:
  ~KubernetesWatch() override {
    cluster_.Change([](State& state) { EXPECT_THAT(state.violations, IsEmpty()); });
  }
  /// Requests so far that are no lists or watches of a mirror.
  std::vector<std::string> Asked() {
    std::vector<std::string> asked;
    cluster_.Change([&asked](State& state) {
      for (const std::string& request : state.requests) {
        if (request.find("watch=true") == std::string::npos &&
            request.find("labelSelector=app.kubernetes.io%2Fmanaged-by%3Dslipway") ==
                std::string::npos &&
            request.find("fieldSelector=type") == std::string::npos) {
          asked.push_back(request);
        }
      }
    });
    return asked;
  }
  int Watches() {
    int count = 0;
    cluster_.Change([&count](State& state) {
      for (const auto& [plural, number] : state.watches) count += number;
    });
    return count;
  }
  int Watches(const std::string& plural) {
    int count = 0;
    cluster_.Change([&](State& state) { count = state.watches[plural]; });
    return count;
  }
  /// Changes the cluster after a moment, and says how long it took until `is_so` of what is seen.
  milliseconds Lag(const std::function<void(State&)>& change,
                   const std::function<bool(const Observed&)>& is_so) {
    auto seen = driver_->Observe(key_);
    steady_clock::time_point changed;
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(100));
      cluster_.Change([&](State& state) {
        changed = steady_clock::now();
        change(state);
      });
    });
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (steady_clock::now() < deadline && !(seen && is_so(*seen))) {
      driver_->AwaitChange(key_, std::chrono::seconds(20), SystemClock());
      seen = driver_->Observe(key_);
    }
    const auto now = steady_clock::now();
    later.join();
    return std::chrono::duration_cast<milliseconds>(now - changed);
  }
  static bool IsHealthy(const Observed& seen) { return seen.phase == Phase::kHealthy; }
  static void NothingRollsOut(State& state) { state.roll_out = nullptr; }
  static void RollOut(State& state) {
    FakeKubernetes::BecomeHealthy(state, state.objects[kDeploymentPath]);
  }
};

TEST_F(KubernetesWatch, AChangeShowsAtOnce) {
  cluster_.Change(NothingRollsOut);
  ASSERT_TRUE(driver_->Apply(Spec()));
  EXPECT_LT(Lag(RollOut, IsHealthy), milliseconds(2'000));
  const auto crash = [](State& state) {
    Json& deployment = state.objects[kDeploymentPath];
    deployment["status"]["availableReplicas"] = 0;
  };
  EXPECT_LT(Lag(crash, [](const Observed& seen) { return seen.phase == Phase::kUnhealthy; }),
            milliseconds(2'000));
}

TEST_F(KubernetesWatch, AServiceThatIsWellCostsNoRequest) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  ASSERT_TRUE(WaitReady(*driver_, key_, SystemClock()));
  std::this_thread::sleep_for(milliseconds(300));
  const std::vector<std::string> before = Asked();
  const int watches = Watches();
  for (int i = 0; i < 200; ++i) {
    const auto seen = driver_->Observe(key_);
    ASSERT_TRUE(seen && IsHealthy(*seen));
    EXPECT_EQ(seen->endpoint, "http://10.96.0.7");
  }
  EXPECT_EQ(Asked(), before);
  EXPECT_EQ(Watches(), watches);
}

TEST_F(KubernetesWatch, OneConnectionOfAKindHoweverManyServices) {
  constexpr int kServices = 12;
  cluster_.Change(NothingRollsOut);
  for (int i = 0; i < kServices; ++i) {
    DeploySpec spec = Spec();
    spec.service = "digits" + std::to_string(i);
    ASSERT_TRUE(driver_->Apply(spec));
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kServices; ++i) {
      ASSERT_TRUE(driver_->Observe({"team lab", "digits" + std::to_string(i)}));
    }
  }
  cluster_.Change([](State& state) {
    for (const auto& [plural, number] : state.watches) EXPECT_LE(number, 1) << plural;
    EXPECT_EQ(state.watches["deployments"], 1);
    EXPECT_EQ(state.watches["pods"], 1);
  });
}

TEST_F(KubernetesWatch, AnUpdateIsNeverTakenForWhatWasBefore) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  ASSERT_TRUE(WaitReady(*driver_, key_, SystemClock()));
  cluster_.Change([](State& state) {
    state.event_delay = milliseconds(500);
    state.roll_out = nullptr;
  });
  for (std::int64_t revision = 2; revision < 5; ++revision) {
    ASSERT_TRUE(driver_->Apply(Spec(revision)));
    const auto seen = driver_->Observe(key_);
    ASSERT_TRUE(seen);
    EXPECT_NE(seen->phase, Phase::kHealthy) << "the mirror still has revision " << revision - 1;
    cluster_.Change(RollOut);
    const auto ready = WaitReady(*driver_, key_, SystemClock());
    ASSERT_TRUE(ready) << ready.error().message;
    EXPECT_EQ(ready->revision, revision);
  }
}

TEST_F(KubernetesWatch, AnEndpointThatWasTakenAwayIsNotShown) {
  DeploySpec spec = Spec();
  spec.deployment.kubernetes.ingress_host = "digits.example.com";
  ASSERT_TRUE(driver_->Apply(spec));
  EXPECT_EQ(WaitReady(*driver_, key_, SystemClock())->endpoint, "http://digits.example.com");
  cluster_.Change([](State& state) { state.event_delay = milliseconds(1'000); });
  ASSERT_TRUE(driver_->Apply(Spec(2)));
  EXPECT_EQ(WaitReady(*driver_, key_, SystemClock())->endpoint, "http://10.96.0.7");
}

TEST_F(KubernetesWatch, EventsAreHeardToo) {
  StayWith({{"phase", "Running"},
            {"containerStatuses",
             {{{"name", "scoring"},
               {"ready", false},
               {"restartCount", 0},
               {"state", {{"running", {{"startedAt", "x"}}}}}}}}});
  ASSERT_TRUE(driver_->Apply(Spec()));
  const auto add = [](State& state) {
    state.objects["/api/v1/namespaces/lab/events/e"] = {
        {"metadata", {{"name", "e"}}},
        {"type", "Warning"},
        {"reason", "Unhealthy"},
        {"message", "Readiness probe failed: HTTP probe failed with statuscode: 503"},
        {"involvedObject", {{"kind", "Pod"}, {"name", "digits-a"}}}};
  };
  EXPECT_LT(Lag(add, [](const Observed& seen) { return seen.cause == "ProbeFailed"; }),
            milliseconds(2'000));
}

TEST_F(KubernetesWatch, ALoadBalancersAddressIsHeardOf) {
  DeploySpec spec = Spec();
  spec.deployment.kubernetes.service_type = "LoadBalancer";
  ASSERT_TRUE(driver_->Apply(spec));
  const auto give = [](State& state) {
    state.objects["/api/v1/namespaces/lab/services/digits"]["status"]["loadBalancer"]["ingress"] = {
        {{"ip", "203.0.113.9"}}};
  };
  EXPECT_LT(Lag(give, IsHealthy), milliseconds(2'000));
}

TEST_F(KubernetesWatch, WithoutLeaveToWatchItAsksAndSaysWhy) {
  cluster_.Change([](State& state) {
    state.roll_out = nullptr;
    for (const char* kind :
         {"deployments", "pods", "services", "ingresses", "events", "horizontalpodautoscalers"}) {
      state.denied.insert(std::string("watch ") + kind);
      state.denied.insert(std::string("list ") + kind);
    }
    state.denied.erase("list pods");
    state.denied.erase("list events");
  });
  ASSERT_TRUE(driver_->Apply(Spec()));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kPending);
  std::thread later([this] {
    std::this_thread::sleep_for(milliseconds(500));
    cluster_.Change(RollOut);
  });
  const auto ready = WaitReady(*driver_, key_, SystemClock());
  later.join();
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_EQ(ready->endpoint, "http://10.96.0.7");
  EXPECT_THAT(log, HasSubstr("deployments of namespace lab"));
  EXPECT_THAT(log, HasSubstr("verbs: [\\\"list\\\"]"));
  EXPECT_EQ(Watches("deployments"), 0);
  EXPECT_TRUE(driver_->Remove(key_));
}

TEST_F(KubernetesWatch, WaitingAsksAClusterThatCannotBeWatchedNotTooOften) {
  cluster_.Change([](State& state) {
    state.roll_out = nullptr;
    for (const char* kind : {"deployments", "pods"}) {
      state.denied.insert(std::string("watch ") + kind);
    }
  });
  ASSERT_TRUE(driver_->Apply(Spec()));
  const std::size_t before = Asked().size();
  EXPECT_FALSE(WaitReady(*driver_, key_, SystemClock(), {.timeout = milliseconds(2'000)}));
  EXPECT_LE(Asked().size() - before, 30U);
}

TEST_F(KubernetesWatch, WatchesThatBreakAgainAndAgainLoseNothing) {
  cluster_.Change([](State& state) {
    state.roll_out = nullptr;
    for (int i = 0; i < 40; ++i) {
      state.watch_faults.push_back(
          {.kind = i % 2 == 0 ? Fault::Kind::kDrop : Fault::Kind::kEnd, .after = i % 3});
    }
  });
  ASSERT_TRUE(driver_->Apply(Spec()));
  ASSERT_TRUE(driver_->Observe(key_));
  for (int i = 0; i < 20; ++i) {
    cluster_.Change([i](State& state) {
      state.objects[kDeploymentPath]["metadata"]["annotations"]["round"] = std::to_string(i);
      if (i % 5 == 0) ++state.breaks;
      if (i % 7 == 0) state.compacted = state.resource_version;
    });
    ASSERT_TRUE(driver_->Observe(key_));
    std::this_thread::sleep_for(milliseconds(10));
  }
  cluster_.Change(RollOut);
  EXPECT_TRUE(WaitReady(*driver_, key_, SystemClock(), {.timeout = milliseconds(10'000)}));
}

TEST_F(KubernetesWatch, AHalfDeadConnectionDoesNotHoldUpWhoWaits) {
  cluster_.Change([](State& state) {
    state.roll_out = nullptr;
    for (int i = 0; i < 6; ++i) state.watch_faults.push_back({.kind = Fault::Kind::kSilence});
  });
  ASSERT_TRUE(driver_->Apply(Spec()));
  EXPECT_EQ(driver_->Observe(key_)->phase, Phase::kPending);
  std::this_thread::sleep_for(milliseconds(300));
  cluster_.Change(RollOut);
  const auto began = steady_clock::now();
  const auto ready = WaitReady(*driver_, key_, SystemClock());
  ASSERT_TRUE(ready) << ready.error().message;
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(15));
}

TEST_F(KubernetesWatch, WaitingCanBeCalledOffAtOnce) {
  cluster_.Change(NothingRollsOut);
  ASSERT_TRUE(driver_->Apply(Spec()));
  const auto end = steady_clock::now() + milliseconds(400);
  const auto ready = WaitReady(*driver_, key_, SystemClock(),
                               {.cancelled = [end] { return steady_clock::now() >= end; }});
  EXPECT_EQ(ready.error().id, "Service.Cancelled");
  // What would hold it up, a watch in which nothing moves, lasts minutes.
  constexpr std::chrono::seconds kAtOnce{10};
  EXPECT_LT(steady_clock::now() - end, kAtOnce);
  const auto began = steady_clock::now();
  targets_.reset();
  EXPECT_LT(steady_clock::now() - began, kAtOnce) << "its threads held it up";
}

TEST_F(KubernetesWatch, RemovalIsOverAsSoonAsTheClusterSaysSo) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  ASSERT_TRUE(WaitReady(*driver_, key_, SystemClock()));
  cluster_.Change([](State& state) { state.deletion_looks = 1'000; });
  std::thread later([this] {
    std::this_thread::sleep_for(milliseconds(700));
    cluster_.Change([](State& state) {
      state.deletion_looks = 0;
      state.objects.erase(kDeploymentPath);
    });
  });
  const std::size_t before = Asked().size();
  const auto began = steady_clock::now();
  const auto removed = driver_->Remove(key_);
  const auto took = steady_clock::now() - began;
  later.join();
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_LT(took, milliseconds(3'000));
  EXPECT_LE(Asked().size() - before, 20U);
}

TEST_F(KubernetesWatch, AnotherTokenInTheKubeconfigIsTaken) {
  ASSERT_TRUE(driver_->Apply(Spec()));
  ASSERT_TRUE(WaitReady(*driver_, key_, SystemClock()));
  cluster_.Change([](State& state) {
    state.token = "new-token";
    ++state.breaks;
  });
  EXPECT_TRUE([this] {
    for (int i = 0; i < 100; ++i) {
      const auto seen = driver_->Observe(key_);
      if (!seen) return seen.error().id == "Service.Unauthorized";
      std::this_thread::sleep_for(milliseconds(50));
    }
    return false;
  }()) << "a token that expired goes unnoticed";
  cluster_.WriteKubeconfig(folder_.path(), "new-token");
  static_cast<void>(driver_->Observe(key_));
  const auto seen = driver_->Observe(key_);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->phase, Phase::kHealthy);
}

}  // namespace
}  // namespace slipway::deployer
