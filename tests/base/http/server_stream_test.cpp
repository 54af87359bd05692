// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/http/server.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_connection.h"

namespace slipway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::LocalOptions;
using ::testing::Not;
using testing::RawConnection;
using testing::ReaderOf;
using testing::ReadToEnd;
using testing::StartServer;
using ::testing::StartsWith;

ServerOptions StreamOptions() {
  ServerOptions options = LocalOptions();
  options.streams = [](const Request& request) { return request.target.starts_with("/s"); };
  return options;
}

Response CountBytes(Request& request) {
  if (!request.body_reader) return {.body = "buffered " + request.body};
  Result<std::string> text = ReadToEnd(*request.body_reader);
  if (!text) return Problem(text.error());
  return {.body = std::to_string(request.body_size) + " " + std::to_string(text->size())};
}

/// Gives `count` pieces of `size` bytes.
std::shared_ptr<Reader> Pieces(int count, std::size_t size) {
  return ReaderOf([left = count, size]() mutable -> Result<std::string> {
    return left-- > 0 ? std::string(size, 'p') : std::string();
  });
}

TEST(ServerStreamTest, OnlyChosenRequestsStream) {
  const auto server = StartServer(StreamOptions(), CountBytes);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(
      raw.Send("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
               "POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
               "POST /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2\r\nab\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("buffered abc"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n3 3"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n-1 2"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n0 0"));
}

TEST(ServerStreamTest, LargeUploadsArriveWhole) {
  const auto server = StartServer(StreamOptions(), CountBytes);
  RawConnection raw(server->addresses()[0]);
  constexpr std::size_t kSize = 20'000'000;
  ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n"));
  ASSERT_TRUE(raw.Send(std::string(kSize, 'u')));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("20000000 20000000"));
}

TEST(ServerStreamTest, AnUploadWaitsForItsHandler) {
  std::atomic<bool> release = false;
  const auto server = StartServer(StreamOptions(), [&](Request& request) {
    while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return CountBytes(request);
  });
  RawConnection raw(server->addresses()[0]);
  constexpr std::size_t kSize = 60'000'000;
  ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 60000000\r\n\r\n"));
  std::atomic<bool> sent = false;
  std::thread sender([&] {
    EXPECT_TRUE(raw.Send(std::string(kSize, 'u')));
    sent = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(sent) << "the server has taken bytes nobody asked for";
  release = true;
  sender.join();
  EXPECT_THAT(raw.ReadResponse(), EndsWith("60000000 60000000"));
}

TEST(ServerStreamTest, ContinueIsSentWhenTheHandlerReads) {
  std::atomic<bool> reads = true;
  const auto server = StartServer(StreamOptions(), [&](Request& request) {
    return reads ? CountBytes(request) : Response{.status = 401};
  });
  const std::string head =
      "PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(head));
  EXPECT_EQ(raw.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(raw.Send("ok"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("2 2"));
  reads = false;
  ASSERT_TRUE(raw.Send(head));
  const std::string refused = raw.ReadAll();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("Connection: close"));
}

TEST(ServerStreamTest, ABodyTheHandlerLeavesEndsTheConnection) {
  const auto server =
      StartServer(StreamOptions(), [](Request&) { return Response{.status = 404, .body = "no"}; });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"));
  raw.Send(std::string(3'000'000, 'x'));
  EXPECT_THAT(raw.ReadAll(), EndsWith("no"));
  RawConnection small(server->addresses()[0]);
  ASSERT_TRUE(small.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_THAT(small.ReadResponse(), Not(HasSubstr("Connection: close")));
}

TEST(ServerStreamTest, StreamLimits) {
  ServerOptions options = StreamOptions();
  options.stream_bytes_max = 100;
  const auto server = StartServer(options, CountBytes);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"));
  EXPECT_THAT(raw.ReadAll(), StartsWith("HTTP/1.1 413 "));
  RawConnection chunked(server->addresses()[0]);
  ASSERT_TRUE(
      chunked.Send("PUT /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                   std::string(101, 'x') + "\r\n0\r\n\r\n"));
  EXPECT_THAT(chunked.ReadResponse(), HasSubstr("Request.BodyTooLarge"));
}

TEST(ServerStreamTest, AClientThatGoesAwayIsAnError) {
  std::atomic<int> failed = 0;
  const auto server = StartServer(StreamOptions(), [&](Request& request) {
    const Result<std::string> text = ReadToEnd(*request.body_reader);
    if (!text && text.error().id == "Request.Aborted") ++failed;
    const Result<std::string> again = ReadToEnd(*request.body_reader);
    if (!again) ++failed;
    return Response{};
  });
  {
    RawConnection raw(server->addresses()[0]);
    ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc"));
  }
  for (int i = 0; i < 5000 && failed < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(failed, 2);
}

TEST(ServerStreamTest, BadChunksReachTheHandlerAsAnError) {
  const auto server = StartServer(StreamOptions(), CountBytes);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("PUT /s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  const std::string all = raw.ReadAll();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(all, HasSubstr("Request.Malformed"));
}

TEST(ServerStreamTest, ResponsesOfKnownAndUnknownLength) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    Response response{.body_reader = Pieces(3, 5)};
    if (request.target == "/sized") response.body_size = 15;
    return response;
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("GET /sized HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\nppppppppppppppp"));
  ASSERT_TRUE(
      raw.Send("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));
  const std::string chunks = raw.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(chunks, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(chunks, EndsWith("\r\n\r\n5\r\nppppp\r\n5\r\nppppp\r\n5\r\nppppp\r\n0\r\n\r\n"));
  EXPECT_THAT(raw.ReadUntil("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked"));
  RawConnection old(server->addresses()[0]);
  ASSERT_TRUE(old.Send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_THAT(old.ReadAll(), EndsWith("\r\n\r\nppppppppppppppp"));
}

TEST(ServerStreamTest, LargeDownloadsWaitForTheClient) {
  std::atomic<std::int64_t> given = 0;
  const auto server = StartServer(LocalOptions(), [&](Request&) {
    return Response{.body_reader = ReaderOf([&, left = 1000]() mutable -> Result<std::string> {
                      if (left-- == 0) return std::string();
                      given += 100'000;
                      return std::string(100'000, 'd');
                    }),
                    .body_size = 100'000'000};
  });
  RawConnection raw(server->addresses()[0], 65536);
  ASSERT_TRUE(raw.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(given, 50'000'000) << "the server reads ahead of its client";
  const std::string all = raw.ReadAll(std::chrono::seconds(60));
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 100'000'000);
}

TEST(ServerStreamTest, AStreamThatFailsEndsEarly) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    Response response;
    response.body_reader = ReaderOf([left = 2]() mutable -> Result<std::string> {
      if (left-- == 0) return Error{.code = Code::kDataLoss, .message = "disk gone"};
      return std::string("piece");
    });
    if (request.target == "/short") {
      response.body_reader = Pieces(1, 5);
      response.body_size = 10;
    }
    return response;
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(raw.ReadAll(), EndsWith("5\r\npiece\r\n5\r\npiece\r\n"));
  RawConnection sized(server->addresses()[0]);
  ASSERT_TRUE(sized.Send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(sized.ReadAll(), EndsWith("\r\n\r\nppppp"));
}

TEST(ServerStreamTest, OpenStreamsDoNotHoldUpOtherRequests) {
  ServerOptions options = LocalOptions();
  options.handler_threads = 1;
  std::atomic<bool> release = false;
  const auto server = StartServer(options, [&](Request& request) {
    if (request.target == "/quick") return Response{.body = "quick"};
    return Response{.body_reader = ReaderOf([&, first = true]() mutable -> Result<std::string> {
                      if (std::exchange(first, false)) return std::string("event");
                      while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                      return std::string();
                    })};
  });
  RawConnection events(server->addresses()[0]);
  RawConnection more(server->addresses()[0]);
  ASSERT_TRUE(events.Send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(more.Send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(events.ReadUntil("event\r\n"), EndsWith("event\r\n"));
  RawConnection quick(server->addresses()[0]);
  ASSERT_TRUE(quick.Send("GET /quick HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(quick.ReadResponse(), EndsWith("quick"));
  release = true;
  EXPECT_THAT(events.ReadUntil("0\r\n\r\n"), EndsWith("0\r\n\r\n"));
}

}  // namespace
}  // namespace slipway::http
