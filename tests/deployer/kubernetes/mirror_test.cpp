// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "deployer/kubernetes/json.h"
#include "tests/support/fake_kubernetes.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;
using testing::FakeKubernetes;
using ::testing::IsEmpty;
using Fault = FakeKubernetes::WatchFault;
using State = FakeKubernetes::State;

constexpr const char* kPods = "/api/v1/namespaces/lab/pods";

http::Response Refusal(int status, const std::string& retry_after = "") {
  http::Response response{.status = status, .body = R"({"kind":"Status","message":"not now"})"};
  if (!retry_after.empty()) response.headers.Set("Retry-After", retry_after);
  return response;
}

/// Times at which a test need not wait; `silence` is longer than any test waits.
KubeWatchTimes Quick() {
  return {.served = std::chrono::seconds(60),
          .silence = milliseconds(60'000),
          .grace = milliseconds(100),
          .first_pause = milliseconds(20),
          .longest_pause = milliseconds(100),
          .refused_pause = milliseconds(150),
          .unasked = milliseconds(60'000)};
}

class KubernetesMirror : public ::testing::Test {
 protected:
  KubernetesMirror() { Put("a", "one"); }
  ~KubernetesMirror() override {
    cluster_.Change([](State& state) { EXPECT_THAT(state.violations, IsEmpty()); });
  }

  void Begin(KubeWatchTimes times = Quick()) {
    KubeAccess access;
    access.origin = "a test";
    access.server = cluster_.url();
    access.token = token_;
    mirror_ = std::make_unique<KubeMirror>(
        std::make_shared<KubeClient>(std::move(access), SystemClock()),
        KubeCollection{.what = "pods of namespace lab", .path = kPods, .query = ""}, bell_, times);
    mirror_->AwaitStart(milliseconds(5'000));
  }
  void Put(const std::string& name, const std::string& value) {
    cluster_.Change([&](State& state) {
      Json& pod = state.objects[kPods + ("/" + name)];
      pod["metadata"]["name"] = name;
      pod["metadata"]["managedFields"] = Json::array({1, 2});
      pod["value"] = value;
    });
  }
  void Delete(const std::string& name) {
    cluster_.Change([&](State& state) { state.objects.erase(kPods + ("/" + name)); });
  }
  /// `unsure`, `none`, or its value.
  std::string Value(const std::string& name) {
    const auto found = mirror_->Find(name);
    if (!found) return "unsure";
    return *found ? KubeText(**found, "value") : "none";
  }
  static bool Until(const std::function<bool()>& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      if (is_so()) return true;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  bool Becomes(const std::string& name, const std::string& value) {
    return Until([&] { return Value(name) == value; });
  }
  bool IsWatched() {
    return Until([this] {
      bool open = false;
      cluster_.Change([&open](State& state) { open = state.open_watches["pods"] > 0; });
      return open;
    });
  }
  void Befall(Fault fault) {
    cluster_.Change([&fault](State& state) { state.watch_faults.push_back(fault); });
  }
  /// How often it was asked so.
  int Count(const std::string& part) {
    int count = 0;
    cluster_.Change([&](State& state) {
      for (const std::string& request : state.requests) {
        count += request.find(part) != std::string::npos ? 1 : 0;
      }
    });
    return count;
  }
  int Watches() { return Count("watch=true"); }
  int Lists() { return Count("?limit="); }

  std::string token_ = "secret-token";
  FakeKubernetes cluster_;
  KubeBell bell_;
  std::unique_ptr<KubeMirror> mirror_;
};

TEST_F(KubernetesMirror, ShowsEveryChangeWithOneListAndOneWatch) {
  Begin();
  EXPECT_EQ(Value("a"), "one");
  EXPECT_EQ(Value("b"), "none");
  ASSERT_TRUE(IsWatched());
  const std::uint64_t before = bell_.rung();
  Put("b", "new");
  Put("a", "two");
  EXPECT_TRUE(Becomes("b", "new"));
  EXPECT_TRUE(Becomes("a", "two"));
  Delete("a");
  EXPECT_TRUE(Becomes("a", "none"));
  EXPECT_EQ(bell_.rung(), before + 3);
  EXPECT_EQ(mirror_->All()->size(), 1U);
  EXPECT_FALSE((*mirror_->Find("b"))->at("metadata").contains("managedFields"));
  EXPECT_EQ(Lists(), 1);
  EXPECT_EQ(Watches(), 1);
}

TEST_F(KubernetesMirror, TheBellWakesWhoWaitsAtOnce) {
  Begin();
  ASSERT_TRUE(IsWatched());
  const std::uint64_t seen = bell_.rung();
  const auto began = std::chrono::steady_clock::now();
  std::thread later([this] {
    std::this_thread::sleep_for(milliseconds(50));
    Put("a", "two");
  });
  bell_.Wait(seen, std::chrono::seconds(20));
  EXPECT_EQ(Value("a"), "two");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  later.join();
}

TEST_F(KubernetesMirror, AWatchThatBreaksGoesOnWhereItWas) {
  Befall({.kind = Fault::Kind::kDrop, .after = 1});
  Befall({.kind = Fault::Kind::kEnd, .after = 1});
  Begin();
  Put("b", "1");
  Put("b", "2");
  Put("b", "3");
  EXPECT_TRUE(Becomes("b", "3"));
  EXPECT_TRUE(Until([this] { return Watches() == 3; })) << Watches();
  EXPECT_EQ(Lists(), 1) << "nothing was lost, so nothing is listed again";
}

TEST_F(KubernetesMirror, WhatIsTooOldIsListedAnew) {
  Begin();
  ASSERT_TRUE(IsWatched());
  cluster_.Change([](State& state) {
    state.objects.clear();
    state.event_delay = milliseconds(60'000);
  });
  cluster_.Change([](State& state) {
    state.resource_version += 10;
    state.compacted = state.resource_version;
    ++state.breaks;
  });
  EXPECT_TRUE(Becomes("a", "none")) << "it was deleted while no watch could tell";
  EXPECT_EQ(Lists(), 2);
}

TEST_F(KubernetesMirror, GoneByStatusAndByEventIsTheSame) {
  cluster_.Change([](State& state) { state.faults_of["watch pods"] = {Refusal(410)}; });
  Befall({.kind = Fault::Kind::kSay,
          .after = 0,
          .text = FakeKubernetes::ErrorLine(410, "Gone", "too old")});
  Begin();
  EXPECT_TRUE(Until([this] { return Lists() == 3; })) << Lists();
  Put("a", "two");
  EXPECT_TRUE(Becomes("a", "two"));
}

TEST_F(KubernetesMirror, BookmarksKeepAQuietWatchYoung) {
  cluster_.Change([](State& state) { state.bookmark_pause = milliseconds(20); });
  KubeWatchTimes times = Quick();
  times.silence = milliseconds(700);
  Begin(times);
  ASSERT_TRUE(IsWatched());
  // Another kind's changes move the cluster's history on; this watch hears so by its bookmarks.
  cluster_.Change([](State& state) {
    state.objects["/api/v1/namespaces/lab/services/s"]["metadata"]["name"] = "s";
    state.compacted = state.resource_version;
  });
  std::this_thread::sleep_for(milliseconds(1'000));
  EXPECT_EQ(Watches(), 1) << "silence was taken for death";
  cluster_.Change([](State& state) { ++state.breaks; });
  EXPECT_TRUE(Until([this] { return Watches() == 2; }));
  Put("a", "two");
  EXPECT_TRUE(Becomes("a", "two"));
  EXPECT_EQ(Lists(), 1) << "the bookmark was not gone on from";
}

TEST_F(KubernetesMirror, AConnectionThatDiedWithoutAWordIsNoticed) {
  Befall({.kind = Fault::Kind::kSilence, .after = 1});
  KubeWatchTimes times = Quick();
  times.silence = milliseconds(300);
  Begin(times);
  ASSERT_TRUE(IsWatched());
  Put("b", "heard");
  ASSERT_TRUE(Becomes("b", "heard"));
  Put("b", "missed");
  EXPECT_TRUE(
      Until([this] { return mirror_->Quiet().value_or(milliseconds(0)) > milliseconds(50); }));
  EXPECT_TRUE(Becomes("b", "missed"));
}

TEST_F(KubernetesMirror, DoubtListsAndWatchesAnewAtOnce) {
  Befall({.kind = Fault::Kind::kSilence, .after = 0});
  Begin();
  ASSERT_TRUE(IsWatched());
  Put("a", "missed");
  EXPECT_EQ(Value("a"), "one");
  mirror_->Doubt();
  EXPECT_EQ(Value("a"), "unsure");
  EXPECT_TRUE(Becomes("a", "missed"));
  EXPECT_EQ(Lists(), 2);
}

TEST_F(KubernetesMirror, EndsAtOnceWhileNothingMoves) {
  Befall({.kind = Fault::Kind::kSilence, .after = 0});
  Begin();
  ASSERT_TRUE(IsWatched());
  const auto began = std::chrono::steady_clock::now();
  mirror_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, Quick().silence / 2);
}

TEST_F(KubernetesMirror, ErrorEventsOfEveryKindArePassedOver) {
  for (const auto& [code, reason] : {std::pair(500, "InternalError"), std::pair(504, "Timeout"),
                                     std::pair(429, "TooManyRequests")}) {
    Befall({.kind = Fault::Kind::kSay,
            .after = 0,
            .text = FakeKubernetes::ErrorLine(code, reason, "it ends")});
  }
  for (const char* text : {"no json\n", "{\"type\":\"ADDED\"}\n", "{\"type\":"}) {
    Befall({.kind = Fault::Kind::kSay, .after = 0, .text = text});
  }
  Begin();
  EXPECT_TRUE(Until([this] { return Watches() >= 7; })) << Watches();
  Put("a", "two");
  EXPECT_TRUE(Becomes("a", "two"));
}

TEST_F(KubernetesMirror, ABusyServerIsLeftAloneForAsLongAsItSays) {
  cluster_.Change([](State& state) {
    state.faults_of["watch pods"] = {Refusal(429, "1"), Refusal(503), Refusal(500)};
  });
  Begin();
  ASSERT_TRUE(Until([this] { return Watches() == 1; }));
  EXPECT_TRUE(Until([this] { return Value("a") == "unsure"; })) << "it is sure without a watch";
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(Watches(), 1) << "it was asked again before its time";
  Put("a", "two");
  EXPECT_TRUE(Becomes("a", "two"));
  EXPECT_GE(Watches(), 4);
}

TEST_F(KubernetesMirror, AListThatFailsIsTriedAgain) {
  cluster_.Change([](State& state) {
    state.faults_of["list pods"] = {Refusal(429),
                                    Refusal(503),
                                    Refusal(500),
                                    {.status = 200, .body = "<html>"},
                                    {.status = 200, .body = "{\"items\": []}"}};
  });
  Begin();
  EXPECT_EQ(Value("a"), "unsure");
  EXPECT_TRUE(Becomes("a", "one"));
  EXPECT_EQ(Lists(), 6);
}

TEST_F(KubernetesMirror, WhereItMayNotWatchItSaysNothing) {
  cluster_.Change([](State& state) { state.denied.insert("watch pods"); });
  Begin();
  EXPECT_TRUE(Becomes("a", "unsure"));
  EXPECT_LE(Watches(), 10);
  cluster_.Change([](State& state) { state.denied.clear(); });
  EXPECT_TRUE(Becomes("a", "one")) << "the rule was added, and it was not tried again";
}

TEST_F(KubernetesMirror, WrongCredentialsMakeItUnsure) {
  token_ = "wrong";
  Begin();
  EXPECT_EQ(Value("a"), "unsure");
  EXPECT_FALSE(mirror_->All());
  EXPECT_FALSE(mirror_->Quiet());
}

TEST_F(KubernetesMirror, ADeadServerMakesItUnsureAndABackOneSureAgain) {
  Begin();
  ASSERT_TRUE(IsWatched());
  cluster_.Change([](State& state) {
    for (int i = 0; i < 3; ++i) state.faults_of["watch pods"].push_back(Refusal(502));
    ++state.breaks;
  });
  EXPECT_TRUE(Becomes("a", "unsure"));
  EXPECT_TRUE(Becomes("a", "one"));
  EXPECT_EQ(Lists(), 1);
}

TEST_F(KubernetesMirror, ShowsNothingOlderThanWhatWasWritten) {
  Begin();
  ASSERT_TRUE(IsWatched());
  cluster_.Change([](State& state) { state.event_delay = milliseconds(300); });
  Put("a", "two");
  std::string version;
  cluster_.Change([&version](State& state) {
    version = state.objects[kPods + std::string("/a")]["metadata"]["resourceVersion"];
  });
  mirror_->Expect("a", version);
  EXPECT_EQ(Value("a"), "unsure");
  EXPECT_FALSE(mirror_->All());
  EXPECT_EQ(Value("b"), "none") << "others are not in question";
  EXPECT_TRUE(Becomes("a", "two"));
}

TEST_F(KubernetesMirror, ShowsNothingThatWasDeleted) {
  Begin();
  ASSERT_TRUE(IsWatched());
  mirror_->ExpectGone("a", "uid-of-" + (kPods + std::string("/a")));
  EXPECT_EQ(Value("a"), "none");
  Delete("a");
  cluster_.Change([](State& state) {
    state.objects[kPods + std::string("/a")] = {{"metadata", {{"name", "a"}, {"uid", "another"}}},
                                                {"value", "again"}};
  });
  EXPECT_TRUE(Becomes("a", "again"));
}

TEST_F(KubernetesMirror, WhatNobodyAsksForIsNotWatched) {
  KubeWatchTimes times = Quick();
  times.unasked = milliseconds(1);
  times.served = std::chrono::seconds(1);
  Begin(times);
  ASSERT_TRUE(Until([this] {
    bool ended = false;
    cluster_.Change([&ended](State& state) { ended = state.open_watches["pods"] == 0; });
    return ended;
  }));
  std::this_thread::sleep_for(milliseconds(200));
  const int before = Watches();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(Watches(), before);
  EXPECT_TRUE(Becomes("a", "one")) << "nobody woke it";
}

TEST_F(KubernetesMirror, AServerThatEndsEveryWatchAtOnceIsNotHammered) {
  for (int i = 0; i < 1'000; ++i) Befall({.kind = Fault::Kind::kEnd, .after = 0});
  Begin();
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_GE(Watches(), 3);
  EXPECT_LE(Watches(), 30);
}

TEST_F(KubernetesMirror, AServerThatTellsTheSameAgainAndAgainIsNotHammeredEither) {
  const std::string line =
      "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}\n";
  for (int i = 0; i < 1'000; ++i) Befall({.kind = Fault::Kind::kSay, .after = 0, .text = line});
  Begin();
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_GE(Watches(), 3);
  EXPECT_LE(Watches(), 60);
}

}  // namespace
}  // namespace slipway::deployer
