// SPDX-License-Identifier: Apache-2.0
#include "base/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/http/address.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_connection.h"
#include "tests/support/tempdir.h"

namespace slipway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::LocalOptions;
using ::testing::Not;
using testing::RawConnection;
using testing::StartServer;
using ::testing::StartsWith;

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

Response Echo(Request& request) {
  return {.body = request.method + " " + request.target + " " + request.body};
}

std::string Post(std::string_view body) {
  return "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

TEST(ServerTest, AnswersAndKeepsTheConnection) {
  const auto server = StartServer(LocalOptions(), Echo);
  RawConnection raw(server->addresses()[0]);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(raw.Send(kGet));
    const std::string response = raw.ReadResponse();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, EndsWith("\r\n\r\nGET / "));
    EXPECT_THAT(response, Not(HasSubstr("Connection:")));
  }
  EXPECT_EQ(server->connections(), 1);
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    if (request.target == "/0") std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return Response{.body = request.target + request.body};
  });
  RawConnection raw(server->addresses()[0]);
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  }
  ASSERT_TRUE(raw.Send(all));
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(raw.ReadResponse(), EndsWith("\r\n\r\n/" + std::to_string(i) + "abc"));
  }
}

TEST(ServerTest, RequestsMayComeByteByByte) {
  const auto server = StartServer(LocalOptions(), Echo);
  RawConnection raw(server->addresses()[0]);
  for (const char c : Post("split")) ASSERT_TRUE(raw.Send(std::string_view(&c, 1)));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("POST /p split"));
}

TEST(ServerTest, ChunkedBodiesAreJoined) {
  const auto server = StartServer(LocalOptions(), Echo);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(
      raw.Send("PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n" +
               kGet));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("PUT /c abcdefg"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("GET / "));
}

TEST(ServerTest, HeadHasTheHeaderOnly) {
  const auto server = StartServer(LocalOptions(), [](Request& request) {
    if (request.target == "/declared") return Response{.headers = {{"Content-Length", "12345"}}};
    return Response{.body = "four"};
  });
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(
      raw.Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
               "HEAD /declared HTTP/1.1\r\nHost: h\r\n\r\n" +
               kGet));
  EXPECT_THAT(raw.ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 4\r\n"));
  EXPECT_THAT(raw.ReadUntil("\r\n\r\n"), HasSubstr("Content-Length: 12345\r\n"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("four"));
}

TEST(ServerTest, AHalfClosedClientStillGetsItsAnswer) {
  const auto server = StartServer(LocalOptions(), Echo);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send(Post("last words")));
  raw.FinishSending();
  EXPECT_THAT(raw.ReadAll(), EndsWith("POST /p last words"));
}

TEST(ServerTest, ConnectionCloseIsHonoured) {
  const auto server = StartServer(LocalOptions(), Echo);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(raw.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + kGet));
  const std::string all = raw.ReadAll();
  EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(all, EndsWith("\r\n\r\nGET / "));
  RawConnection old(server->addresses()[0]);
  ASSERT_TRUE(old.Send("GET /old HTTP/1.0\r\n\r\n"));
  EXPECT_THAT(old.ReadAll(), EndsWith("GET /old "));
}

TEST(ServerTest, MalformedRequestsGetAProblemAndTheEndOfTheConnection) {
  const auto server = StartServer(LocalOptions(), Echo);
  for (const std::string text :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\ngarbage\r\n"}) {
    RawConnection raw(server->addresses()[0]);
    ASSERT_TRUE(raw.Send(text + std::string(100'000, 'x')));
    raw.FinishSending();
    const std::string all = raw.ReadAll();
    EXPECT_THAT(all, StartsWith("HTTP/1.1 400 Bad Request\r\n")) << text;
    EXPECT_THAT(all, HasSubstr("application/problem+json"));
    EXPECT_THAT(all, HasSubstr("Request.Malformed"));
  }
}

TEST(ServerTest, LimitsOfHeaderAndBody) {
  ServerOptions options = LocalOptions();
  options.header_bytes_max = 2000;
  options.body_bytes_max = 1000;
  std::atomic<int> handled = 0;
  const auto server = StartServer(options, [&](Request& request) {
    ++handled;
    return Echo(request);
  });
  const auto status = [&](const std::string& text) {
    RawConnection raw(server->addresses()[0]);
    raw.Send(text);
    raw.FinishSending();
    return raw.ReadAll().substr(9, 3);
  };
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(3000, 'x') + "\r\n\r\n"),
            "431");
  EXPECT_EQ(status(Post(std::string(1001, 'b'))), "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                   std::string(1001, 'b') + "\r\n0\r\n\r\n"),
            "413");
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n"),
            "413");
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(status(Post(std::string(1000, 'b'))), "200");
}

TEST(ServerTest, ExpectContinue) {
  ServerOptions options = LocalOptions();
  options.body_bytes_max = 10;
  const auto server = StartServer(options, Echo);
  RawConnection raw(server->addresses()[0]);
  ASSERT_TRUE(
      raw.Send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(raw.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(raw.Send("ok"));
  EXPECT_THAT(raw.ReadResponse(), EndsWith("POST /e ok"));
  ASSERT_TRUE(raw.Send(
      "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_THAT(raw.ReadAll(), StartsWith("HTTP/1.1 413 "));
}

TEST(ServerTest, WhatAHandlerThrowsBecomes500) {
  const auto server = StartServer(LocalOptions(), [](Request& request) -> Response {
    if (request.target == "/int") throw 5;
    if (request.target == "/status") return {.status = 99};
    throw std::runtime_error("boom");
  });
  for (const std::string target : {"/", "/int", "/status"}) {
    RawConnection raw(server->addresses()[0]);
    ASSERT_TRUE(raw.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_THAT(raw.ReadResponse(), StartsWith("HTTP/1.1 500 "));
    ASSERT_TRUE(raw.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_THAT(raw.ReadResponse(), HasSubstr("Server.HandlerFailed"));
  }
}

TEST(ServerTest, AFullQueueIsAnsweredAtOnce) {
  ServerOptions options = LocalOptions();
  options.handler_threads = 1;
  options.queue_max = 1;
  std::atomic<bool> release = false;
  std::atomic<int> started = 0;
  const auto server = StartServer(options, [&](Request&) {
    ++started;
    while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Response{};
  });
  RawConnection running(server->addresses()[0]);
  ASSERT_TRUE(running.Send(kGet));
  while (started == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  RawConnection a(server->addresses()[0]);
  RawConnection b(server->addresses()[0]);
  ASSERT_TRUE(a.Send(kGet) && b.Send(kGet));
  std::string first = a.ReadUntil("\r\n\r\n", std::chrono::milliseconds(300));
  if (first.empty()) first = b.ReadUntil("\r\n\r\n");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(first, HasSubstr("Retry-After: 1\r\n"));
  release = true;
  EXPECT_THAT(running.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerTest, ConnectionsAreBounded) {
  ServerOptions options = LocalOptions();
  options.connections_max = 2;
  const auto server = StartServer(options, Echo);
  auto a = std::make_unique<RawConnection>(server->addresses()[0]);
  RawConnection b(server->addresses()[0]);
  ASSERT_TRUE(a->Send(kGet) && b.Send(kGet));
  a->ReadResponse();
  b.ReadResponse();
  RawConnection c(server->addresses()[0]);
  EXPECT_THAT(c.ReadAll(), StartsWith("HTTP/1.1 503 "));
  a.reset();
  while (server->connections() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  RawConnection d(server->addresses()[0]);
  ASSERT_TRUE(d.Send(kGet));
  EXPECT_THAT(d.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerTest, ListensOnIpv6AndUnixSockets) {
  const testing::TempDir folder;
  const std::string unix_address = "unix:" + (folder / "s").string();
  ServerOptions options = LocalOptions();
  options.listen = {"127.0.0.1:0", unix_address};
  if (Listen("[::1]:0", true)) options.listen.push_back("[::1]:0");
  options.io_threads = 2;
  auto server =
      StartServer(options, [](Request& request) { return Response{.body = request.peer}; });
  const char* peers[] = {"127.0.0.1:", "unix", "[::1]:"};
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    RawConnection raw(server->addresses()[i]);
    ASSERT_TRUE(raw.Send(kGet));
    EXPECT_THAT(raw.ReadResponse(), HasSubstr("\r\n\r\n" + std::string(peers[i])));
  }
  EXPECT_EQ(server->addresses()[1], unix_address);
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(folder / "s"));
}

TEST(ServerTest, AnAddressInUseIsNamed) {
  const testing::TempDir folder;
  ServerOptions options = LocalOptions();
  options.listen.push_back("unix:" + (folder / "s").string());
  const auto server = StartServer(options, Echo);
  for (const std::string& address : server->addresses()) {
    options.listen = {address};
    const auto second = Server::Start(options, Echo);
    ASSERT_FALSE(second) << address;
    EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(second.error().id, "Port.InUse");
    EXPECT_THAT(second.error().message, HasSubstr(address));
    RawConnection raw(address);
    ASSERT_TRUE(raw.Send(kGet));
    EXPECT_THAT(raw.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  }
}

TEST(ServerTest, AddressesThatAreNoneAreRefused) {
  for (const std::string address : {"", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "[::1",
                                    "[::1]", "::1:80", "unix:", "300.0.0.1:80"}) {
    ServerOptions options = LocalOptions();
    options.listen = {address};
    const auto server = Server::Start(options, Echo);
    ASSERT_FALSE(server) << address;
    EXPECT_EQ(server.error().code, Code::kInvalidArgument);
  }
  ServerOptions options = LocalOptions();
  options.listen = {"unix:/" + std::string(200, 'x')};
  EXPECT_FALSE(Server::Start(options, Echo));
  options.listen = {};
  EXPECT_FALSE(Server::Start(options, Echo));
}

TEST(ServerTest, AStaleSocketFileIsReplacedAnotherFileIsNot) {
  const testing::TempDir folder;
  const std::string address = "unix:" + (folder / "s").string();
  {
    auto listener = Listen(address, false);
    ASSERT_TRUE(listener);
    std::filesystem::rename(folder / "s", folder / "kept");
  }
  std::filesystem::rename(folder / "kept", folder / "s");
  ServerOptions options = LocalOptions();
  options.listen = {address};
  StartServer(options, Echo);
  ASSERT_TRUE(WriteFileAtomic(folder / "s", "precious"));
  const auto server = Server::Start(options, Echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().id, "Port.InUse");
  EXPECT_EQ(*ReadFile(folder / "s", 100), "precious");
}

TEST(ServerTest, ManyClientsAtOnce) {
  ServerOptions options = LocalOptions();
  options.io_threads = 2;
  const auto server = StartServer(options, Echo);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RawConnection raw(server->addresses()[0]);
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(t) + "/" + std::to_string(i);
        raw.Send(Post(body));
        if (raw.ReadResponse().ends_with("POST /p " + body)) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

}  // namespace
}  // namespace slipway::http
