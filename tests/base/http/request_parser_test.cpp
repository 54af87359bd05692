// SPDX-License-Identifier: Apache-2.0
#include "base/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::http {
namespace {

struct Parsed {
  std::string method;
  std::string target;
  std::string body;
  std::string rest;
  int refused = 0;
  std::string why;
  bool done = false;
  bool keep_alive = false;
};

/// Feeds `text` in pieces of `step` bytes, as a connection would.
Parsed Parse(const std::string& text, std::size_t step, std::int64_t header_max = 1000) {
  RequestParser parser(header_max);
  Parsed result;
  std::string held;
  std::size_t at = 0;
  while (!parser.done() && parser.refusal() == nullptr && at < text.size()) {
    held += text.substr(at, step);
    at += step;
    for (bool more = true; more && !held.empty() && !parser.done();) {
      const std::size_t taken = parser.Feed(held, result.body);
      held.erase(0, taken);
      more = taken > 0 && parser.refusal() == nullptr;
    }
  }
  result.rest = held + (at < text.size() ? text.substr(at) : "");
  result.method = parser.request().method;
  result.target = parser.request().target;
  result.done = parser.done();
  if (parser.header_done()) result.keep_alive = parser.keep_alive();
  if (parser.refusal() != nullptr) {
    result.refused = parser.refusal()->status;
    result.why = parser.refusal()->error.message;
  }
  return result;
}

class RequestParserTest : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Steps, RequestParserTest, ::testing::Values(1, 2, 3, 7, 64, 100000));

TEST_P(RequestParserTest, ReadsBodiesOfBothFramings) {
  const Parsed plain = Parse("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\nGET /next", GetParam());
  EXPECT_TRUE(plain.done);
  EXPECT_EQ(plain.method, "GET");
  EXPECT_EQ(plain.target, "/a?b");
  EXPECT_EQ(plain.rest, "GET /next");
  EXPECT_TRUE(plain.keep_alive);
  const Parsed sized =
      Parse("\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloREST", GetParam());
  EXPECT_TRUE(sized.done);
  EXPECT_EQ(sized.body, "hello");
  EXPECT_EQ(sized.rest, "REST");
  const Parsed chunked = Parse(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;a=b\r\nhello\r\n00A\r\n, and more!\r\n0\r\nTrailer: x\r\n\r\nREST",
      GetParam());
  EXPECT_EQ(chunked.refused, 400);
  const Parsed good = Parse(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;a=b\r\nhello\r\n00b\r\n, and more!\r\n0\r\nTrailer: x\r\n\r\nREST",
      GetParam());
  EXPECT_TRUE(good.done) << good.why;
  EXPECT_EQ(good.body, "hello, and more!");
  EXPECT_EQ(good.rest, "REST");
}

TEST_P(RequestParserTest, RefusesRequestsThatTwoServersCouldReadDifferently) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  for (const std::string fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n", "Content-Length: 0x10\r\n", "Content-Length: 1 1\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length:\r\n", "Bad Name: x\r\n",
        "Name : x\r\n", ": x\r\n", "NoColon\r\n", "X: a\x01z\r\n", "Host: other\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "X: a\nY: b\r\n"}) {
    const Parsed parsed = Parse(start + fields + "\r\n", GetParam());
    EXPECT_EQ(parsed.refused, 400) << fields << parsed.why;
  }
  EXPECT_EQ(Parse(start + "Transfer-Encoding: gzip\r\n\r\n", GetParam()).refused, 501);
  EXPECT_EQ(Parse(start + "Transfer-Encoding: gzip, chunked\r\n\r\n", GetParam()).refused, 501);
  EXPECT_EQ(Parse(start + "Transfer-Encoding: chunked, gzip\r\n\r\n", GetParam()).refused, 501);
  EXPECT_EQ(Parse(start + "Expect: magic\r\n\r\n", GetParam()).refused, 417);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\n\r\n", GetParam()).refused, 400);
  EXPECT_EQ(
      Parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", GetParam()).refused,
      400);
}

TEST_P(RequestParserTest, RefusesWhatIsNotHttp) {
  EXPECT_EQ(Parse("GET / HTTP/2.0\r\nHost: h\r\n\r\n", GetParam()).refused, 505);
  EXPECT_EQ(Parse("GET /\r\n\r\n", GetParam()).refused, 400);
  EXPECT_EQ(Parse("\x16\x03\x01\x02 / HTTP/1.1\r\n\r\n", GetParam()).refused, 400);
  EXPECT_EQ(Parse("G@T / HTTP/1.1\r\nHost: h\r\n\r\n", GetParam()).refused, 400);
  EXPECT_NE(Parse("GET / XTTP/1.1\r\nHost: h\r\n\r\n", GetParam()).refused, 0);
}

TEST_P(RequestParserTest, RefusesBadChunks) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string chunks : {"xyz\r\n", "5\r\nhelloXX\r\n0\r\n\r\n", "-5\r\n", "\r\n\r\n",
                                   "fffffffffffffffff\r\n", "5 5\r\nhello\r\n"}) {
    EXPECT_EQ(Parse(start + chunks, GetParam()).refused, 400) << chunks;
  }
}

TEST_P(RequestParserTest, HeaderSizeIsBounded) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_TRUE(Parse(start + "X: " + std::string(900, 'a') + "\r\n\r\n", GetParam()).done);
  EXPECT_EQ(Parse(start + "X: " + std::string(1000, 'a') + "\r\n\r\n", GetParam()).refused, 431);
  std::string many = start;
  for (int i = 0; i < 300; ++i) many += "A: b\r\n";
  EXPECT_EQ(Parse(many + "\r\n", GetParam()).refused, 431);
  EXPECT_EQ(Parse("GET /" + std::string(5000, 'a'), GetParam()).refused, 431);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_NE(Parse(chunked + "5;x=" + std::string(5000, 'a'), GetParam()).refused, 0);
  EXPECT_NE(Parse(chunked + "0\r\nT: " + std::string(5000, 'a'), GetParam()).refused, 0);
}

TEST_P(RequestParserTest, KeepAliveFollowsVersionAndField) {
  EXPECT_TRUE(Parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n", GetParam()).keep_alive);
  EXPECT_FALSE(
      Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", GetParam()).keep_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.0\r\n\r\n", GetParam()).keep_alive);
  EXPECT_TRUE(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", GetParam()).keep_alive);
}

TEST_P(RequestParserTest, AbsoluteTargetsBecomeOriginForm) {
  const auto target = [](const std::string& text) {
    return Parse("GET " + text + " HTTP/1.1\r\nHost: h\r\n\r\n", GetParam()).target;
  };
  EXPECT_EQ(target("http://host/a?b"), "/a?b");
  EXPECT_EQ(target("http://host"), "/");
  EXPECT_EQ(target("http://host?x"), "/?x");
  EXPECT_EQ(target("/a?u=http://x/y"), "/a?u=http://x/y");
  EXPECT_EQ(target("*"), "*");
}

}  // namespace
}  // namespace slipway::http
