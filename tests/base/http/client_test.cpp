// SPDX-License-Identifier: Apache-2.0
#include "base/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/http/retry.h"
#include "base/http/server.h"
#include "base/http/transfer.h"
#include "tests/support/http_fixture.h"
#include "tests/support/tempdir.h"

namespace slipway::http {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using testing::LocalOptions;
using ::testing::Not;
using testing::ReaderOf;
using testing::StartServer;
using testing::UrlOf;

/// A clock whose sleep takes no time and is remembered.
class SleepClock final : public Clock {
 public:
  TimePoint Now() override { return TimePoint(std::chrono::seconds(784111777)); }
  std::chrono::steady_clock::time_point Steady() override { return {}; }
  void Sleep(milliseconds duration) override {
    const std::lock_guard lock(mutex_);
    sleeps_.push_back(duration);
  }
  std::vector<milliseconds> sleeps() {
    const std::lock_guard lock(mutex_);
    return sleeps_;
  }

 private:
  std::mutex mutex_;  // guards sleeps_
  std::vector<milliseconds> sleeps_;
};

Response Mirror(Request& request) {
  std::string text = request.method + " " + request.target + "\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\n";
  return {.headers = {{"X-One", "1"}, {"x-two", "a, b"}}, .body = text + "\n" + request.body};
}

ClientOptions Quick() {
  ClientOptions options;
  options.backoff = milliseconds(1);
  return options;
}

TEST(ClientTest, SendsAndReceivesEverything) {
  const auto server = StartServer(LocalOptions(), Mirror);
  const auto client = MakeClient(Quick());
  const auto response = client->Send({.method = "POST",
                                      .target = UrlOf(*server) + "/a/../b?c=%20",
                                      .headers = {{"X-Mine", "v"}, {"X-Empty", ""}},
                                      .body = std::string("b\0dy", 4)});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.Get("X-Two"), "a, b");
  EXPECT_THAT(response->body, HasSubstr("POST /a/../b?c=%20\n"));
  EXPECT_THAT(response->body, HasSubstr("X-Mine: v\n"));
  EXPECT_THAT(response->body, HasSubstr("X-Empty: \n"));
  EXPECT_THAT(response->body, HasSubstr("Content-Length: 4\n"));
  EXPECT_THAT(response->body, HasSubstr("User-Agent: slipway/"));
  EXPECT_THAT(response->body, Not(HasSubstr("Content-Type")));
  EXPECT_TRUE(response->body.ends_with(std::string("\n\nb\0dy", 6)));
}

TEST(ClientTest, EveryMethodHasItsFraming) {
  const auto server = StartServer(LocalOptions(), Mirror);
  const auto client = MakeClient(Quick());
  for (const char* method : {"GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"}) {
    for (const char* body : {"", "data"}) {
      const auto response =
          client->Send({.method = method, .target = UrlOf(*server) + "/m", .body = body});
      ASSERT_TRUE(response);
      EXPECT_TRUE(response->body.starts_with(std::string(method) + " /m\n")) << method;
      EXPECT_TRUE(response->body.ends_with(std::string("\n\n") + body)) << method;
    }
  }
  const auto head = client->Send({.method = "HEAD", .target = UrlOf(*server)});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->body, "");
  EXPECT_NE(head->headers.Get("Content-Length"), "0");
}

TEST(ClientTest, ConnectionsAreUsedAgain) {
  std::mutex mutex;
  std::vector<std::string> peers;
  const auto server = StartServer(LocalOptions(), [&](Request& request) {
    const std::lock_guard lock(mutex);
    peers.push_back(request.peer);
    return Response{.status = request.target == "/no" ? 404 : 200, .body = "x"};
  });
  const auto client = MakeClient(Quick());
  for (const char* path : {"/a", "/no", "/b"}) {
    ASSERT_TRUE(client->Send({.target = UrlOf(*server) + path}));
  }
  EXPECT_THAT(peers, ElementsAre(peers[0], peers[0], peers[0]));
}

TEST(ClientTest, AFailingStatusAndARedirectAreValues) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    if (request.target == "/r") return Response{.status = 302, .headers = {{"Location", "/x"}}};
    return Problem({.code = Code::kNotFound, .message = "gone", .id = "Model.NotFound"});
  });
  const auto client = MakeClient(Quick());
  EXPECT_EQ(client->Send({.target = UrlOf(*server) + "/r"})->status, 302);
  const auto missing = client->Send({.target = UrlOf(*server) + "/m"});
  ASSERT_TRUE(missing);
  EXPECT_EQ(ErrorFromResponse(*missing).id, "Model.NotFound");
}

TEST(ClientTest, SinkTakesGoodBodiesOnly) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    if (request.target == "/bad") return Response{.status = 404, .body = "why"};
    return Response{.body = std::string(5'000'000, 's')};
  });
  const auto client = MakeClient(Quick());
  std::size_t taken = 0;
  const Sink count = [&](std::span<const std::byte> bytes) -> Result<void> {
    taken += bytes.size();
    return {};
  };
  const auto good = client->Send({.target = UrlOf(*server) + "/"}, count);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->body, "");
  EXPECT_EQ(taken, 5'000'000);
  const auto bad = client->Send({.target = UrlOf(*server) + "/bad"}, count);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->body, "why");
  EXPECT_EQ(taken, 5'000'000);
}

TEST(ClientTest, AnErrorOfTheSinkStopsAndIsReturned) {
  std::atomic<int> requests = 0;
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    ++requests;
    return Response{.body = std::string(5'000'000, 's')};
  });
  const auto client = MakeClient(Quick());
  const auto response =
      client->Send({.target = UrlOf(*server)}, [](std::span<const std::byte>) -> Result<void> {
        return Error{.code = Code::kUnavailable, .message = "disk full", .id = "Mine"};
      });
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().id, "Mine");
  EXPECT_EQ(requests, 1);
}

TEST(ClientTest, UploadsStream) {
  ServerOptions options = LocalOptions();
  options.streams = [](const Request&) { return true; };
  const auto server = StartServer(options, [](Request& request) {
    const Result<std::string> body = testing::ReadToEnd(*request.body_reader);
    return Response{.body = std::to_string(request.body_size) + " " +
                            std::to_string(body ? body->size() : 0)};
  });
  const auto client = MakeClient(Quick());
  const auto reader = [] {
    return ReaderOf([left = 30]() mutable -> Result<std::string> {
      return left-- > 0 ? std::string(100'000, 'u') : std::string();
    });
  };
  EXPECT_EQ(
      client->Send({.method = "PUT", .target = UrlOf(*server), .body_reader = reader()})->body,
      "-1 3000000");
  EXPECT_EQ(client
                ->Send({.method = "POST",
                        .target = UrlOf(*server),
                        .body_reader = reader(),
                        .body_size = 3'000'000})
                ->body,
            "3000000 3000000");
  const auto failed = client->Send({.method = "PUT",
                                    .target = UrlOf(*server),
                                    .body_reader = ReaderOf([]() -> Result<std::string> {
                                      return Error{.code = Code::kDataLoss, .message = "bad disk"};
                                    })});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kDataLoss);
}

TEST(ClientTest, BufferedBodiesAreBounded) {
  const auto server = StartServer(
      LocalOptions(), [](Request&) { return Response{.body = std::string(1001, 'x')}; });
  ClientOptions options = Quick();
  options.response_bytes_max = 1000;
  EXPECT_EQ(MakeClient(options)->Send({.target = UrlOf(*server)}).error().code,
            Code::kResourceExhausted);
  options.response_bytes_max = 1001;
  EXPECT_TRUE(MakeClient(options)->Send({.target = UrlOf(*server)}));
}

TEST(ClientTest, IdempotentRequestsAreTriedAgainWithBackoff) {
  std::atomic<int> requests = 0;
  const auto server = StartServer(
      LocalOptions(), [&](Request&) { return Response{.status = ++requests < 4 ? 503 : 200}; });
  SleepClock clock;
  ClientOptions options;
  options.backoff = milliseconds(100);
  const auto client = MakeClient(options, clock);
  EXPECT_EQ(client->Send({.method = "PUT", .target = UrlOf(*server), .body = "x"})->status, 200);
  const auto sleeps = clock.sleeps();
  ASSERT_EQ(sleeps.size(), 3);
  EXPECT_LE(sleeps[0], milliseconds(100));
  EXPECT_LE(sleeps[1], milliseconds(200));
  EXPECT_LE(sleeps[2], milliseconds(400));
  requests = 0;
  EXPECT_EQ(client->Send({.method = "POST", .target = UrlOf(*server)})->status, 503);
  EXPECT_EQ(requests, 1);
  requests = 0;
  EXPECT_EQ(
      client
          ->Send(
              {.method = "POST", .target = UrlOf(*server), .headers = {{"Idempotency-Key", "k"}}})
          ->status,
      200);
}

TEST(ClientTest, RetriesEnd) {
  std::atomic<int> requests = 0;
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    ++requests;
    return Response{.status = 502};
  });
  SleepClock clock;
  ClientOptions options;
  options.retries = 2;
  EXPECT_EQ(MakeClient(options, clock)->Send({.target = UrlOf(*server)})->status, 502);
  EXPECT_EQ(requests, 3);
}

TEST(ClientTest, RetryAfterIsObeyed) {
  std::atomic<int> requests = 0;
  std::string value = "2";
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    return ++requests == 1 ? Response{.status = 429, .headers = {{"Retry-After", value}}}
                           : Response{};
  });
  for (const char* text : {"2", "Sun, 06 Nov 1994 08:49:39 GMT"}) {
    value = text;
    requests = 0;
    SleepClock clock;
    EXPECT_EQ(MakeClient(Quick(), clock)->Send({.target = UrlOf(*server)})->status, 200);
    EXPECT_THAT(clock.sleeps(), ElementsAre(Ge(milliseconds(2000)))) << text;
  }
  value = "3600";
  requests = 0;
  SleepClock clock;
  EXPECT_EQ(MakeClient(Quick(), clock)->Send({.target = UrlOf(*server)})->status, 429);
  EXPECT_THAT(clock.sleeps(), ElementsAre());
}

TEST(ClientTest, NobodyThereIsUnavailable) {
  std::string url;
  {
    const auto server = StartServer(LocalOptions(), Mirror);
    url = UrlOf(*server);
  }
  SleepClock clock;
  const auto response = MakeClient({}, clock)->Send({.target = url});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_THAT(response.error().message, HasSubstr(url));
  EXPECT_EQ(clock.sleeps().size(), 3);
}

TEST(ClientTest, AStalledAnswerTimesOut) {
  std::atomic<bool> release = false;
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    while (!release) std::this_thread::sleep_for(milliseconds(1));
    return Response{};
  });
  ClientOptions stall = Quick();
  stall.stall_timeout = milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  const auto stalled = MakeClient(stall)->Send({.target = UrlOf(*server)});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  ASSERT_FALSE(stalled);
  EXPECT_EQ(stalled.error().code, Code::kDeadlineExceeded);
  ClientOptions total = Quick();
  total.total_timeout = milliseconds(100);
  EXPECT_EQ(MakeClient(total)->Send({.target = UrlOf(*server)}).error().code,
            Code::kDeadlineExceeded);
  release = true;
}

TEST(ClientTest, TotalTimeBoundsAStreamThatKeepsMoving) {
  const auto server = StartServer(LocalOptions(), [](Request&) {
    return Response{.body_reader = ReaderOf([]() -> Result<std::string> {
                      std::this_thread::sleep_for(milliseconds(5));
                      return std::string("tick");
                    })};
  });
  ClientOptions options = Quick();
  options.total_timeout = milliseconds(200);
  EXPECT_EQ(MakeClient(options)->Send({.target = UrlOf(*server)}).error().code,
            Code::kDeadlineExceeded);
}

/// How long a stream in which nothing moves goes on after it is told to end.
milliseconds TimeToEnd() {
  std::atomic<bool> quit = false;
  const auto server = StartServer(LocalOptions(), [&quit](Request&) {
    return Response{.body_reader = ReaderOf([&quit, first = true]() mutable -> Result<std::string> {
                      if (std::exchange(first, false)) return std::string("one");
                      while (!quit) std::this_thread::sleep_for(milliseconds(5));
                      return std::string();
                    })};
  });
  std::stop_source stop;
  std::string got;
  std::atomic<bool> opened = false;
  std::atomic<std::chrono::steady_clock::time_point> asked{};
  std::thread later([&] {
    while (!opened) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(50));
    asked = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  const auto client = MakeClient(Quick());
  const auto response =
      client->Stream({.target = UrlOf(*server)},
                     [&got](std::span<const std::byte> bytes) -> Result<void> {
                       got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                       return {};
                     },
                     {.stop = stop.get_token(), .opened = [&opened] { opened = true; }});
  const auto ended = std::chrono::steady_clock::now();
  later.join();
  quit = true;
  EXPECT_FALSE(response);
  EXPECT_EQ(response ? "" : response.error().id, "Connection.Stopped");
  EXPECT_EQ(got, "one");
  return std::chrono::duration_cast<milliseconds>(ended - asked.load());
}

TEST(ClientTest, AStreamIsEndedFromOutsideWhileNothingMoves) {
  // Without being woken it would see so at its next look, a second later, every time.
  milliseconds shortest = milliseconds::max();
  for (int i = 0; i < 3; ++i) shortest = std::min(shortest, TimeToEnd());
  EXPECT_LT(shortest, milliseconds(700));
}

TEST(ClientTest, AStreamHasTimesOfItsOwnAndIsSentOnce) {
  std::atomic<int> asked = 0;
  std::atomic<bool> quit = false;
  const auto server = StartServer(LocalOptions(), [&](Request& request) {
    ++asked;
    if (request.target == "/busy") return Response{.status = 503, .body = "busy"};
    return Response{.body_reader = ReaderOf([&quit]() -> Result<std::string> {
                      while (!quit) std::this_thread::sleep_for(milliseconds(5));
                      return std::string();
                    })};
  });
  bool opened = false;
  const auto client = MakeClient(Quick());
  const Sink sink = [](std::span<const std::byte>) -> Result<void> { return {}; };
  const StreamOptions options{.stall_timeout = milliseconds(150),
                              .opened = [&opened] { opened = true; }};
  const auto busy = client->Stream({.target = UrlOf(*server) + "/busy"}, sink, options);
  ASSERT_TRUE(busy);
  EXPECT_EQ(busy->status, 503);
  EXPECT_EQ(busy->body, "busy");
  EXPECT_FALSE(opened) << "a refusal is no stream";
  EXPECT_EQ(asked, 1);
  const auto silent = client->Stream({.target = UrlOf(*server)}, sink, options);
  quit = true;
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(opened);
  EXPECT_EQ(asked, 2);
}

TEST(ClientTest, AnAnswerThatEndsEarlyIsUnavailable) {
  const auto server = StartServer(LocalOptions(), [](Request&) {
    return Response{.body_reader = ReaderOf([first = true]() mutable -> Result<std::string> {
                      if (std::exchange(first, false)) return std::string("part");
                      return Error{.code = Code::kInternal, .message = "stop"};
                    })};
  });
  ClientOptions options = Quick();
  options.retries = 0;
  EXPECT_EQ(MakeClient(options)->Send({.target = UrlOf(*server)}).error().code, Code::kUnavailable);
}

TEST(ClientTest, UnixSocketsWhateverTheHost) {
  const testing::TempDir folder;
  ServerOptions server_options = LocalOptions();
  server_options.listen = {"unix:" + (folder / "s").string()};
  const auto server = StartServer(server_options, Mirror);
  ClientOptions options = Quick();
  options.unix_socket = folder / "s";
  const auto response = MakeClient(options)->Send({.target = "http://docker/version"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_THAT(response->body, HasSubstr("Host: docker\n"));
}

TEST(ClientTest, OnlyValidWebRequestsAreSent) {
  const auto client = MakeClient(Quick());
  for (const char* target : {"", "file:///etc/passwd", "ftp://h/", "gopher://h", "/path", "http://",
                             "http://h/\r\nX: y"}) {
    const auto response = client->Send({.target = target});
    ASSERT_FALSE(response) << target;
    EXPECT_EQ(response.error().code, Code::kInvalidArgument) << target;
  }
  EXPECT_FALSE(client->Send({.method = "GET /x", .target = "http://127.0.0.1:1/"}));
  EXPECT_FALSE(client->Send({.target = "http://127.0.0.1:1/", .headers = {{"A", "b\r\nC: d"}}}));
  EXPECT_FALSE(client->Send({.target = "http://127.0.0.1:1/", .headers = {{"A: b", "c"}}}));
}

TEST(ClientTest, NoProxyForThisMachine) {
  const auto server = StartServer(LocalOptions(), Mirror);
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const auto local = MakeClient(Quick())->Send({.target = UrlOf(*server)});
  ClientOptions once = Quick();
  once.retries = 0;
  const auto remote = MakeClient(once)->Send({.target = "http://example.invalid/"});
  ::unsetenv("http_proxy");
  EXPECT_TRUE(local);
  ASSERT_FALSE(remote);
  EXPECT_THAT(remote.error().message, HasSubstr("127.0.0.1 port 1"));
}

TEST(ClientTest, LoopbackUrls) {
  for (const char* url : {"http://localhost/", "http://a.localhost:80/x", "https://127.1.2.3:5",
                          "http://[::1]:80/"}) {
    EXPECT_TRUE(IsLoopbackUrl(url)) << url;
  }
  for (const char* url : {"http://example.org/", "http://localhost.example.org/", "http://[::2]/",
                          "http://u:127.0.0.1@example.org/", "bad"}) {
    EXPECT_FALSE(IsLoopbackUrl(url)) << url;
  }
}

TEST(ClientTest, OneClientServesManyThreads) {
  const auto server = StartServer(LocalOptions(), Mirror);
  const auto client = MakeClient(Quick());
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string body = std::to_string(t * 100 + i);
        const auto response =
            client->Send({.method = "PUT", .target = UrlOf(*server), .body = body});
        if (response && response->body.ends_with("\n\n" + body)) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST(RetryTest, BackoffDoublesUpToItsBound) {
  ClientOptions options;
  options.backoff = milliseconds(100);
  options.backoff_max = milliseconds(450);
  EXPECT_EQ(BackoffBound(options, 1), milliseconds(100));
  EXPECT_EQ(BackoffBound(options, 2), milliseconds(200));
  EXPECT_EQ(BackoffBound(options, 3), milliseconds(400));
  EXPECT_EQ(BackoffBound(options, 4), milliseconds(450));
  EXPECT_EQ(BackoffBound(options, 1000), milliseconds(450));
}

TEST(RetryTest, RetryAfterForms) {
  const TimePoint now{std::chrono::seconds(784111777)};
  EXPECT_EQ(ParseRetryAfter("0", now), milliseconds(0));
  EXPECT_EQ(ParseRetryAfter(" 7 ", now), milliseconds(7000));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:47 GMT", now), milliseconds(10'000));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:00 GMT", now), milliseconds(0));
  for (const char* text : {"", "soon", "-5"}) {
    EXPECT_EQ(ParseRetryAfter(text, now), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace slipway::http
