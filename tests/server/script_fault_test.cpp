// SPDX-License-Identifier: Apache-2.0
// A script that crashes, hangs, exits, leaks or floods costs its own request only.
#include <gmock/gmock.h>
#include <signal.h>

#include "base/process.h"
#include "base/process_stat.h"
#include "tests/server/script_fixture.h"

namespace slipway::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

class ScriptFaultTest : public ScriptFixture {
 protected:
  ScriptHostOptions Faults(int workers = 1) {
    ScriptHostOptions options = Script("faults.py");
    options.settings.workers = workers;
    return options;
  }
  int Pid() { return Parse(Post("{}")).get<int>(); }
  std::string Metric(const std::string& name) {
    const std::string text = Send("GET", "/metrics").body;
    const std::size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  static bool Gone(int pid) {
    for (int i = 0; i < 1000; ++i) {
      const auto stat = ReadProcessStat(pid);
      if (!stat || stat->state == 'Z') return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }
};

TEST_F(ScriptFaultTest, ACrashCostsItsRequestAndTheWorkerIsReplaced) {
  Start(Faults());
  const int before = Pid();
  const std::pair<const char*, const char*> kCases[] = {{"crash", "signal 11"},
                                                        {"exit", "exit status 4"}};
  for (const auto& [what, how] : kCases) {
    const auto response = Do(what);
    EXPECT_EQ(response.status, 500) << what;
    EXPECT_THAT(Message(response), HasSubstr(how));
    EXPECT_EQ(response.headers.Get("x-ms-run-function-failed"), "True");
    EXPECT_TRUE(response.headers.Has("x-request-id"));
    EXPECT_NE(Pid(), before);
  }
  EXPECT_EQ(Metric("slipway_worker_restarts_total{worker=\"0\"}"), "2");
  EXPECT_EQ(Send("GET", "/readyz").status, 200);
}

TEST_F(ScriptFaultTest, AHangEndsAtTheTimeout) {
  ScriptHostOptions options = Faults();
  options.settings.scoring_timeout = milliseconds(2'000);
  Start(std::move(options));
  const int before = Pid();
  for (const char* what : {R"({"do": "hang"})", R"({"do": "stubborn", "s": 60})"}) {
    const auto began = steady_clock::now();
    const auto response = Post(what);
    EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(30));
    EXPECT_EQ(response.status, 500);
    EXPECT_EQ(Message(response), "Scoring timeout after 2000 ms");
    EXPECT_EQ(response.headers.Get("x-ms-run-function-failed"), "True");
  }
  EXPECT_TRUE(Gone(before));
  EXPECT_NE(Pid(), before);
}

TEST_F(ScriptFaultTest, OtherRequestsAreNotLost) {
  Start(Faults(2));
  std::atomic<bool> done = false;
  std::atomic<int> answered = 0, failed = 0;
  std::thread user([&] {
    while (!done) ++(Post("{}").status == 200 ? answered : failed);
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Do("exit").status, 500);
  const int enough = answered + 5;
  for (int i = 0; i < 1000 && answered < enough; ++i) std::this_thread::sleep_for(milliseconds(10));
  done = true;
  user.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GE(answered, enough);
}

TEST_F(ScriptFaultTest, RequestsThatWaitSurviveACrash) {
  Start(Faults());
  std::vector<std::thread> users;
  std::atomic<int> answered = 0;
  users.emplace_back([this] { EXPECT_EQ(Do("exit").status, 500); });
  std::this_thread::sleep_for(milliseconds(20));
  for (int i = 0; i < 8; ++i) {
    users.emplace_back([this, &answered] { answered += Post("{}").status == 200 ? 1 : 0; });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(answered, 8);
}

TEST_F(ScriptFaultTest, AWorkerThatDiesBetweenRequestsCostsNone) {
  Start(Faults());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(::kill(Pid(), SIGKILL), 0);
    EXPECT_EQ(Post("{}").status, 200);
  }
}

TEST_F(ScriptFaultTest, MemoryIsBounded) {
  ScriptHostOptions options = Faults();
  options.settings.memory_bytes = std::int64_t{400} << 20;
  Start(std::move(options));
  const int before = Pid();
  const auto response = Post(R"({"do": "leak", "mb": 500, "s": 60})");
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(Message(response), HasSubstr("at most 400 are allowed"));
  EXPECT_NE(Pid(), before);
}

TEST_F(ScriptFaultTest, AWorkerThatHasGrownIsReplacedBetweenRequests) {
  ScriptHostOptions options = Faults();
  options.settings.memory_bytes = std::int64_t{400} << 20;
  Start(std::move(options));
  const int before = Pid();
  EXPECT_EQ(Post(R"({"do": "leak", "mb": 330})").status, 200);
  int now = before;
  for (int i = 0; i < 200 && now == before; ++i) {
    now = Pid();
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_NE(now, before);
}

TEST_F(ScriptFaultTest, AFloodIsAnsweredAndTheNextRequestToo) {
  Start(Faults());
  const auto flooded = Post(R"({"do": "flood", "s": 0.5})");
  EXPECT_EQ(flooded.body, "\"flooded\"");
  const auto began = steady_clock::now();
  EXPECT_EQ(Post("{}").status, 200);
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(5));
}

TEST_F(ScriptFaultTest, AnAnswerThatIsNoneEndsTheWorker) {
  Start(Faults());
  const int before = Pid();
  EXPECT_EQ(Do("garbage").status, 500);
  EXPECT_NE(Pid(), before);
}

TEST_F(ScriptFaultTest, WhatAWorkerStartedGoesWithIt) {
  ScriptHostOptions options = Faults();
  options.settings.scoring_timeout = milliseconds(2000);
  Start(std::move(options));
  const int child = Parse(Do("child")).get<int>();
  EXPECT_EQ(Do("exit").status, 500);
  EXPECT_TRUE(Gone(child));
}

TEST_F(ScriptFaultTest, TooManyWaitingAreRefused) {
  ScriptHostOptions options = Faults();
  options.settings.waiting_max = 1;
  Start(std::move(options));
  std::thread running([this] { EXPECT_EQ(Post(R"({"do": "sleep", "s": 1})").status, 200); });
  std::this_thread::sleep_for(milliseconds(200));
  std::thread waiting([this] { EXPECT_EQ(Post("{}").status, 200); });
  std::this_thread::sleep_for(milliseconds(200));
  const auto refused = Post("{}");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.Get("Retry-After"), "1");
  EXPECT_EQ(refused.headers.Get("x-ms-run-function-failed"), "False");
  EXPECT_EQ(Send("GET", "/").status, 200);
  running.join();
  waiting.join();
}

TEST_F(ScriptFaultTest, WaitingTooLongIsRefused) {
  ScriptHostOptions options = Faults();
  options.settings.queue_wait = milliseconds(100);
  Start(std::move(options));
  std::thread running([this] { EXPECT_EQ(Post(R"({"do": "sleep", "s": 1})").status, 200); });
  std::this_thread::sleep_for(milliseconds(200));
  const auto refused = Post("{}");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(Message(refused), HasSubstr("no worker was free"));
  running.join();
  EXPECT_EQ(Post("{}").status, 200);
}

TEST_F(ScriptFaultTest, AWorkerThatCannotBeReplacedIsSaid) {
  testing::TempDir folder;
  const auto copy = folder / "faults.py";
  std::filesystem::copy_file(ScriptFile("faults.py"), copy);
  ScriptHostOptions options = Faults();
  options.config.entry = copy;
  Start(std::move(options));
  ASSERT_TRUE(WriteFileAtomic(copy, "raise RuntimeError('gone bad')"));
  EXPECT_EQ(Do("exit").status, 500);
  const auto refused = Post("{}");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(Message(refused), HasSubstr("gone bad"));
  EXPECT_EQ(Send("GET", "/readyz").status, 503);
  std::filesystem::copy_file(ScriptFile("faults.py"), copy,
                             std::filesystem::copy_options::overwrite_existing);
  int status = 0;
  for (int i = 0; i < 100 && status != 200; ++i) {
    std::this_thread::sleep_for(milliseconds(100));
    status = Post("{}").status;
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(Send("GET", "/readyz").status, 200);
}

TEST_F(ScriptFaultTest, DrainingFinishesWhatIsUnderWay) {
  Start(Faults());
  std::thread running([this] { EXPECT_EQ(Post(R"({"do": "sleep", "s": 1})").status, 200); });
  std::this_thread::sleep_for(milliseconds(200));
  service_->Drain();
  running.join();
}

TEST_F(ScriptFaultTest, PreloadedWorkersShareOneInit) {
  ScriptHostOptions options = Script("preload.py");
  options.settings.workers = 2;
  options.settings.preload = true;
  Start(std::move(options));
  const Json first = Parse(Post("x"));
  EXPECT_NE(first["init"], first["run"]);
  const auto crashed = Post("crash");
  EXPECT_EQ(crashed.status, 500);
  for (int i = 0; i < 20; ++i) {
    const Json next = Parse(Post("x"));
    EXPECT_EQ(next["init"], first["init"]);
  }
  ASSERT_EQ(::kill(first["init"].get<int>(), SIGKILL), 0);
  Json again;
  for (int i = 0; i < 500 && !(again.is_object() && again["init"] != first["init"]); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    again = Parse(Post("x"));
  }
  EXPECT_NE(again["init"], first["init"]);
}

TEST_F(ScriptFaultTest, PythonThatIsNotThereIsSaid) {
  ServeOptions options;
  options.script = Faults();
  options.script->config.python = "/nowhere/python3";
  Start(std::move(options));
  ASSERT_FALSE(loaded_);
  EXPECT_EQ(loaded_.error().id, "Python.NotFound");
  EXPECT_THAT(loaded_.error().message, HasSubstr("/nowhere/python3"));
  EXPECT_EQ(Send("GET", "/").status, 200);
  EXPECT_EQ(Send("GET", "/readyz").status, 503);
}

}  // namespace
}  // namespace slipway::server
