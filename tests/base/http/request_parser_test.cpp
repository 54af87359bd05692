// SPDX-License-Identifier: Apache-2.0
#include "base/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

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
  std::vector<std::pair<std::string, std::string>> fields;
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
  result.fields.assign(parser.request().headers.begin(), parser.request().headers.end());
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

/// A head, most often a good one: of what clients write, of what asks for a closer look, and of
/// what is wrong.
std::string RandomHead(std::mt19937& random) {
  static const std::vector<std::string> kFields = {"Content-Type: application/json",
                                                   "Accept: */*",
                                                   "User-Agent: a b  c ",
                                                   "X:",
                                                   "x-y:\tz\t",
                                                   "Connection: keep-alive",
                                                   "Content-Length: 3",
                                                   "content-length:3",
                                                   "A: \xc3\xa9",
                                                   "Cookie:  a=b"};
  static const std::vector<std::string> kOthers = {"Connection: close",
                                                   "Connection: Keep-Alive, Upgrade",
                                                   "Transfer-Encoding: chunked",
                                                   "Expect: 100-continue",
                                                   "Content-Length: 03",
                                                   "Content-Length: 4 ",
                                                   "Content-Length: -1",
                                                   "Content-Length: 3, 3",
                                                   "Host: other",
                                                   "Bad name: x",
                                                   "NoColon",
                                                   "X: a\x01",
                                                   " folded",
                                                   "Upgrade: h2c",
                                                   "Proxy-Connection: close",
                                                   "Content-Length: 9999999999999999999",
                                                   ": x"};
  static const std::vector<std::string> kTargets = {"/score",     "/a?b=c%20d", "/\xc3\xa9", "*",
                                                    "http://h/a", "/a b",       ""};
  const auto one_of = [&random](const std::vector<std::string>& all) {
    return all[random() % all.size()];
  };
  std::string head = random() % 9 == 0 ? "get" : "POST";
  head += " " + (random() % 6 == 0 ? one_of(kTargets) : "/score");
  head += random() % 12 == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  if (random() % 12 != 0) head += "Host: h\r\n";
  for (std::size_t i = random() % 5; i > 0; --i) head += one_of(kFields) + "\r\n";
  if (random() % 4 == 0) head += one_of(kOthers) + "\r\n";
  if (random() % 10 == 0) head.erase(random() % head.size(), 1);
  return head + "\r\n";
}

/// A field that has a head read in the general way.
constexpr std::string_view kTabbed = "T:\t1\r\n";

TEST(RequestHeadTest, PlainHeadsAreReadAsAllOthers) {
  std::mt19937 random(11);
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = RandomHead(random) + "abcNEXT";
    SCOPED_TRACE(text);
    std::string other = text;
    other.insert(text.rfind("\r\nabcNEXT"), kTabbed);
    const Parsed quick = Parse(text, text.size());
    Parsed general = Parse(other, other.size());
    ASSERT_EQ(quick.refused, general.refused) << quick.why << " | " << general.why;
    EXPECT_EQ(quick.done, general.done);
    if (!quick.done || quick.refused != 0) continue;
    ++good;
    std::erase(general.fields, std::pair<std::string, std::string>("T", "1"));
    EXPECT_EQ(quick.method, general.method);
    EXPECT_EQ(quick.target, general.target);
    EXPECT_EQ(quick.body, general.body);
    EXPECT_EQ(quick.rest, general.rest);
    EXPECT_EQ(quick.keep_alive, general.keep_alive);
    EXPECT_EQ(quick.fields, general.fields);
  }
  EXPECT_GT(good, 5000);
}

TEST(RequestHeadTest, HeadsOfAboutTheGreatestSizeAreReadAlike) {
  const std::string plain = "GET / HTTP/1.1\r\nHost: h\r\nX: 0123456789\r\n\r\n";
  std::string tabbed = plain;
  tabbed[plain.find(" 01")] = '\t';
  for (std::int64_t max = 20; max < 60; ++max) {
    EXPECT_EQ(Parse(plain, plain.size(), max).refused, Parse(tabbed, tabbed.size(), max).refused)
        << max;
  }
}

TEST(RequestHeadTest, AParserIsUsedAgain) {
  RequestParser parser(1000);
  const std::string first = "POST /a HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 2\r\n\r\n";
  const std::string second = "POST /b HTTP/1.0\r\nContent-Length: 1\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    parser.Reset();
    EXPECT_EQ(parser.Feed(first, parser.request().body), first.size());
    EXPECT_EQ(parser.Feed("xyz", parser.request().body), 2U);
    EXPECT_TRUE(parser.done() && parser.keep_alive() && !parser.is_http_1_0());
    EXPECT_EQ(parser.request().body, "xy");
    EXPECT_EQ(parser.request().headers.Get("X"), "y");
    parser.Reset();
    EXPECT_FALSE(parser.done() || parser.header_done());
    EXPECT_EQ(parser.Feed(second, parser.request().body), second.size());
    EXPECT_EQ(parser.Feed("zz", parser.request().body), 1U);
    EXPECT_TRUE(parser.done() && !parser.keep_alive() && parser.is_http_1_0());
    EXPECT_EQ(parser.request().body, "z");
    EXPECT_EQ(parser.request().target, "/b");
    EXPECT_FALSE(parser.request().headers.Has("X"));
    parser.Reset();
    parser.Feed("BAD\r\n\r\n", parser.request().body);
    EXPECT_NE(parser.refusal(), nullptr);
  }
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
