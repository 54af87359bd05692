// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/http/rate_guard.h"
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

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

Response Ok(Request&) { return {.body = "ok"}; }

ServerOptions QuickOptions() {
  ServerOptions options = LocalOptions();
  options.header_timeout = milliseconds(150);
  options.idle_timeout = milliseconds(150);
  options.body_timeout = milliseconds(150);
  return options;
}

TEST(ServerTimeTest, AnIdleConnectionIsClosedSilently) {
  const auto server = StartServer(QuickOptions(), Ok);
  RawConnection fresh(server->addresses()[0]);
  EXPECT_EQ(fresh.ReadAll(), "");
  RawConnection used(server->addresses()[0]);
  ASSERT_TRUE(used.Send(kGet));
  EXPECT_THAT(used.ReadResponse(), EndsWith("ok"));
  EXPECT_EQ(used.ReadAll(), "");
}

TEST(ServerTimeTest, AHeaderThatTricklesInGets408) {
  ServerOptions options = QuickOptions();
  options.idle_timeout = milliseconds(10'000);
  const auto server = StartServer(options, Ok);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("GET / HTTP/1.1\r\n"));
  std::atomic<bool> done = false;
  std::thread trickle([&] {
    while (!done && raw.Send("X: y\r\n")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_THAT(raw.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 408 "));
  done = true;
  trickle.join();
}

TEST(ServerTimeTest, ABodyThatStopsGets408) {
  const auto server = StartServer(QuickOptions(), Ok);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_THAT(raw.ReadAll(), StartsWith("HTTP/1.1 408 "));
}

TEST(ServerTimeTest, ABodyThatTricklesInGets408) {
  const auto server = StartServer(QuickOptions(), Ok);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
  std::atomic<bool> done = false;
  std::thread trickle([&] {
    while (!done && raw.Send("b")) std::this_thread::sleep_for(milliseconds(10));
  });
  EXPECT_THAT(raw.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 408 "));
  done = true;
  trickle.join();
}

TEST(ServerTimeTest, AStreamedBodyThatStopsIsAnErrorOfItsReader) {
  ServerOptions options = QuickOptions();
  options.streams = [](const Request&) { return true; };
  const auto server = StartServer(options, [](Request& request) {
    const Result<std::string> text = testing::ReadToEnd(*request.body_reader);
    return text ? Response{} : Problem(text.error());
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_THAT(raw.ReadAll(), HasSubstr("Request.Timeout"));
}

TEST(ServerTimeTest, AClientThatDoesNotReadIsCutOff) {
  ServerOptions options = QuickOptions();
  const auto server =
      StartServer(options, [](Request&) { return Response{.body = std::string(50'000'000, 'x')}; });
  RawConnection raw(server->addresses()[0], 4096);
  ASSERT_TRUE(raw.Send(kGet));
  for (int i = 0; i < 5000 && server->connections() == 0; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  for (int i = 0; i < 5000 && server->connections() > 0; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(server->connections(), 0);
}

TEST(ServerTimeTest, ASlowHandlerIsNotASlowClient) {
  const auto server = StartServer(QuickOptions(), [](Request&) {
    std::this_thread::sleep_for(milliseconds(500));
    return Response{.body = "late"};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(kGet));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("late"));
}

TEST(ServerTimeTest, DrainLetsRequestsFinishAndClosesTheRest) {
  std::atomic<int> started = 0;
  std::atomic<bool> release = false;
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    ++started;
    while (!release) std::this_thread::sleep_for(milliseconds(1));
    return Response{.body = "finished"};
  });
  const std::string address = server->addresses()[0];
  RawConnection idle(address);
  RawConnection busy(address);
  ASSERT_TRUE(busy.Send(kGet));
  while (started == 0) std::this_thread::sleep_for(milliseconds(1));
  std::thread drain([&] { server->Drain(); });
  EXPECT_EQ(idle.ReadAll(), "");
  release = true;
  const std::string answer = busy.ReadAll();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("finished"));
  drain.join();
  EXPECT_EQ(server->connections(), 0);
  ServerOptions again = LocalOptions();
  again.listen = {address};
  EXPECT_TRUE(Server::Start(again, Ok));
  server->Drain();
}

TEST(ServerTimeTest, DrainEndsAfterItsTimeout) {
  ServerOptions options = LocalOptions();
  options.drain_timeout = milliseconds(100);
  std::atomic<bool> release = false;
  std::atomic<int> started = 0;
  auto server = StartServer(options, [&](Request&) {
    ++started;
    while (!release) std::this_thread::sleep_for(milliseconds(1));
    return Response{};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(kGet));
  while (started == 0) std::this_thread::sleep_for(milliseconds(1));
  server->Drain();
  EXPECT_EQ(raw.ReadAll(), "");
  release = true;
  server.reset();
}

TEST(ServerTimeTest, AServerStopsWithStreamsOpen) {
  ServerOptions options = LocalOptions();
  options.drain_timeout = milliseconds(50);
  auto server = StartServer(options, [](Request&) {
    return Response{.body_reader = ReaderOf([]() -> Result<std::string> {
                      std::this_thread::sleep_for(milliseconds(5));
                      return std::string("tick");
                    })};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(kGet));
  EXPECT_THAT(raw.ReadUntil("tick"), EndsWith("tick"));
  server.reset();
  EXPECT_THAT(raw.ReadAll(), EndsWith("tick\r\n"));
}

TEST(RateGuardTest, CountsOnlyAfterItsPatience) {
  RateGuard guard(1000, milliseconds(5000));
  guard.Add(milliseconds(4000), 0);
  EXPECT_FALSE(guard.TooSlow());
  guard.Add(milliseconds(2000), 100);
  EXPECT_TRUE(guard.TooSlow());
  guard.Add(milliseconds(0), 10'000);
  EXPECT_FALSE(guard.TooSlow());
}

TEST(StopSignalTest, WaitsForTheSignal) {
  EXPECT_EXIT(
      {
        BlockStopSignals();
        std::thread sender([] { ::kill(::getpid(), SIGTERM); });
        const int number = WaitForStopSignal();
        sender.join();
        ::kill(::getpid(), SIGPIPE);
        ::_exit(number == SIGTERM ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace slipway::http
