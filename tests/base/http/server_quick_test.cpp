// SPDX-License-Identifier: Apache-2.0
// Requests that the I/O threads answer themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <latch>
#include <map>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/http/server.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_connection.h"

namespace slipway::http {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::LocalOptions;
using testing::RawConnection;
using testing::ReaderOf;
using testing::StartServer;
using ::testing::StartsWith;

ServerOptions QuickOptions(int io_threads = 1) {
  ServerOptions options = LocalOptions();
  options.io_threads = io_threads;
  options.quick = [](const Request& request) { return !request.target.starts_with("/pool"); };
  return options;
}

std::string Get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

/// How often a handler ran on which thread.
class Threads {
 public:
  void Note() {
    const std::lock_guard lock(mutex_);
    ++times_[std::this_thread::get_id()];
  }
  std::map<std::thread::id, int> times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::thread::id, int> times_;
};

TEST(ServerQuickTest, OneThreadAnswersWhatIsQuickAndAnotherTheRest) {
  Threads quick, others;
  const auto server = StartServer(QuickOptions(), [&](Request& request) {
    (request.target == "/pool" ? others : quick).Note();
    return Response{.body = request.target + request.body};
  });
  for (int i = 0; i < 4; ++i) {
    RawConnection raw(server->addresses()[0]);
    for (int k = 0; k < 5; ++k) {
      ASSERT_TRUE(raw.Send(Get("/quick") + Get("/pool")));
      EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n/quick"));
      EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n/pool"));
    }
  }
  // A machine with much else to do may make an answer slow, and then another thread stands in.
  const auto times = quick.times();
  const auto most = std::max_element(
      times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_GT(most->second, 10);
  EXPECT_FALSE(others.times().contains(most->first));
}

TEST(ServerQuickTest, EachThreadHasAShareOfTheConnections) {
  Threads threads;
  const auto server = StartServer(QuickOptions(3), [&](Request&) {
    threads.Note();
    return Response{};
  });
  for (int i = 0; i < 9; ++i) {
    RawConnection raw(server->addresses()[0]);
    ASSERT_TRUE(raw.Send(Get("/")));
    EXPECT_THAT(raw.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_GE(threads.times().size(), 3U);
}

TEST(ServerQuickTest, WhatIsSlowAfterAllKeepsNobodyWaiting) {
  std::latch release(1);
  std::atomic<bool> stuck = false;
  const auto server = StartServer(QuickOptions(), [&](Request& request) {
    if (request.target == "/stuck") {
      stuck = true;
      release.wait();
    }
    return Response{.body = request.target};
  });
  const std::string address = server->addresses()[0];
  RawConnection known(address), slow(address);
  ASSERT_TRUE(known.Send(Get("/before")));
  EXPECT_THAT(known.ReadResponse(), EndsWith("/before"));
  ASSERT_TRUE(slow.Send(Get("/stuck")));
  while (!stuck) std::this_thread::sleep_for(milliseconds(1));
  ASSERT_TRUE(known.Send(Get("/known")));
  EXPECT_THAT(known.ReadResponse(), EndsWith("/known"));
  RawConnection fresh(address);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(fresh.Send(Get("/fresh")));
    EXPECT_THAT(fresh.ReadResponse(), EndsWith("/fresh"));
  }
  release.count_down();
  EXPECT_THAT(slow.ReadResponse(), EndsWith("/stuck"));
  ASSERT_TRUE(slow.Send(Get("/again")));
  EXPECT_THAT(slow.ReadResponse(), EndsWith("/again"));
}

TEST(ServerQuickTest, SomeoneStandsInAgainAfterALongPause) {
  std::counting_semaphore<> go_on(0);
  const auto server = StartServer(QuickOptions(), [&](Request& request) {
    if (request.target == "/slow") go_on.acquire();
    return Response{.body = request.target};
  });
  RawConnection slow(server->addresses()[0]), other(server->addresses()[0]);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(slow.Send(Get("/slow")));
    std::this_thread::sleep_for(milliseconds(50));
    ASSERT_TRUE(other.Send(Get("/other")));
    EXPECT_THAT(other.ReadResponse(), EndsWith("/other")) << "while another is answered";
    go_on.release();
    EXPECT_THAT(slow.ReadResponse(), EndsWith("/slow"));
    std::this_thread::sleep_for(milliseconds(700));
  }
}

TEST(ServerQuickTest, OneWhoSendsManyAtOnceLetsOthersHaveTheirTurn) {
  std::atomic<int> many = 0;
  const auto server = StartServer(QuickOptions(), [&](Request& request) {
    if (request.target == "/other") return Response{.body = std::to_string(many)};
    ++many;
    std::this_thread::sleep_for(milliseconds(2));
    return Response{};
  });
  RawConnection greedy(server->addresses()[0]), other(server->addresses()[0]);
  constexpr int kRequests = 400;
  std::string all;
  for (int i = 0; i < kRequests; ++i) all += Get("/m");
  ASSERT_TRUE(greedy.Send(all));
  while (many == 0) std::this_thread::sleep_for(milliseconds(1));
  ASSERT_TRUE(other.Send(Get("/other")));
  const std::string answer = other.ReadResponse();
  EXPECT_LT(std::stoi(answer.substr(answer.find("\r\n\r\n") + 4)), kRequests / 4);
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_THAT(greedy.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  }
}

TEST(ServerQuickTest, LargeAndStreamedAnswersArriveWhole) {
  const std::string large(20 << 20, 'x');
  const auto server = StartServer(QuickOptions(), [&](Request& request) {
    if (request.target == "/large") return Response{.body = large};
    return Response{.body_reader = ReaderOf([left = 3]() mutable -> Result<std::string> {
                      return left-- > 0 ? std::string("piece") : std::string();
                    })};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(Get("/large")));
  const std::string answer = raw.ReadResponse();
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, large.size());
  ASSERT_TRUE(raw.Send(Get("/stream")));
  EXPECT_THAT(raw.ReadUntil("0\r\n\r\n"), HasSubstr("piece"));
  ASSERT_TRUE(raw.Send(Get("/stream")));
  EXPECT_THAT(raw.ReadUntil("0\r\n\r\n"), HasSubstr("piece"));
}

TEST(ServerQuickTest, FailuresOfTheHandlerAndOfTheQuestionAreAnswered) {
  ServerOptions options = QuickOptions();
  options.quick = [](const Request& request) {
    if (request.target == "/unknown") throw std::runtime_error("cannot tell");
    return true;
  };
  const auto server = StartServer(options, [](Request& request) {
    if (request.target == "/throws") throw std::runtime_error("broken");
    return Response{.body = "fine"};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(Get("/throws")));
  EXPECT_THAT(raw.ReadResponse(), HasSubstr("Server.HandlerFailed"));
  ASSERT_TRUE(raw.Send(Get("/unknown")));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("fine"));
}

TEST(ServerQuickTest, AClientThatDoesNotReadIsCutOff) {
  ServerOptions options = QuickOptions();
  options.body_timeout = milliseconds(1'500);
  const auto server = StartServer(options, [](Request& request) {
    const bool large = request.target == "/large";
    return Response{.body = std::string(large ? 50'000'000 : 5, 'x')};
  });
  RawConnection raw(server->addresses()[0], 4096), other(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(Get("/large")));
  ASSERT_TRUE(other.Send(Get("/small")));
  EXPECT_THAT(other.ReadResponse(), EndsWith("xxxxx"));
  for (int i = 0; i < 20'000 && server->connections() > 1; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(server->connections(), 1);
}

std::chrono::nanoseconds CpuTime() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TEST(ServerQuickTest, WhoWasBusyTakesNoTimeOnceIdle) {
  const auto server = StartServer(
      QuickOptions(2), [](Request& request) { return Response{.body = request.target}; });
  std::vector<std::thread> askers;
  for (int i = 0; i < 3; ++i) {
    askers.emplace_back([&] {
      RawConnection raw(server->addresses()[0]);
      for (int k = 0; k < 2000; ++k) {
        ASSERT_TRUE(raw.Send(Get("/quick")));
        ASSERT_THAT(raw.ReadResponse(), EndsWith("/quick"));
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  std::this_thread::sleep_for(milliseconds(50));
  const auto before = CpuTime();
  std::this_thread::sleep_for(milliseconds(1000));
  EXPECT_LT(CpuTime() - before, milliseconds(100));
}

TEST(ServerQuickTest, WhoIsBusyKeepsNobodyElseWaiting) {
  const auto server = StartServer(
      QuickOptions(2), [](Request& request) { return Response{.body = request.target}; });
  std::atomic<bool> ends = false;
  std::thread busy([&] {
    RawConnection raw(server->addresses()[0]);
    while (!ends) {
      ASSERT_TRUE(raw.Send(Get("/busy")));
      ASSERT_THAT(raw.ReadResponse(), EndsWith("/busy"));
    }
  });
  for (int i = 0; i < 20; ++i) {
    RawConnection raw(server->addresses()[0]);
    for (int k = 0; k < 20; ++k) {
      ASSERT_TRUE(raw.Send(Get("/pool") + Get("/other")));
      EXPECT_THAT(raw.ReadResponse(), EndsWith("/pool"));
      EXPECT_THAT(raw.ReadResponse(), EndsWith("/other"));
    }
  }
  ends = true;
  busy.join();
}

TEST(ServerQuickTest, DrainEndsWhileRequestsFollowEachOther) {
  const auto server =
      StartServer(QuickOptions(2), [](Request&) { return Response{.body = "fine"}; });
  std::atomic<int> answered = 0;
  std::thread busy([&] {
    RawConnection raw(server->addresses()[0]);
    while (raw.Send(Get("/"))) {
      const std::string answer = raw.ReadResponse();
      if (answer.empty()) return;
      ++answered;
      if (answer.find("Connection: close") != std::string::npos) return;
    }
  });
  while (answered < 500) std::this_thread::sleep_for(milliseconds(1));
  server->Drain();
  busy.join();
  EXPECT_EQ(server->connections(), 0);
}

TEST(ServerQuickTest, DrainLetsAnAnswerUnderWayFinish) {
  std::latch release(1);
  std::atomic<bool> begun = false;
  const auto server = StartServer(QuickOptions(2), [&](Request&) {
    begun = true;
    release.wait();
    return Response{.body = "finished"};
  });
  RawConnection idle(server->addresses()[0]), busy(server->addresses()[0]);
  ASSERT_TRUE(busy.Send(Get("/")));
  while (!begun) std::this_thread::sleep_for(milliseconds(1));
  std::thread drain([&] { server->Drain(); });
  EXPECT_EQ(idle.ReadAll(), "");
  release.count_down();
  const std::string answer = busy.ReadAll();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("finished"));
  drain.join();
  EXPECT_EQ(server->connections(), 0);
}

}  // namespace
}  // namespace slipway::http
