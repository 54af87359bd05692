// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/http/http.h"
#include "base/http/response_head.h"
#include "base/json.h"

namespace slipway::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::string HeadOf(const Response& response, const HeadContext& context, TimePoint now) {
  std::string head;
  AppendHead(response, context, now, head);
  return head;
}

TEST(HeadersTest, NamesCompareWithoutCase) {
  Headers headers = {{"Content-Type", "a"}, {"X-Two", "1"}, {"x-two", "2"}};
  EXPECT_EQ(headers.Get("content-TYPE"), "a");
  EXPECT_EQ(headers.Get("X-TWO"), "1");
  EXPECT_EQ(headers.Get("content-typ"), "");
  EXPECT_TRUE(headers.Has("CONTENT-TYPE"));
  headers.Set("X-TWO", headers.Get("x-two"));
  EXPECT_THAT(std::vector(headers.begin(), headers.end()),
              ElementsAre(Pair("Content-Type", "a"), Pair("X-TWO", "1")));
  headers.Add("A", "b");
  headers.Remove("x-two");
  EXPECT_FALSE(headers.Has("X-Two"));
  EXPECT_TRUE(headers.Has("a"));
}

TEST(TargetTest, PathAndQueryAreDecoded) {
  const auto target = ParseTarget("/api/v1/models/a%20b//m%3A1?tag=k%3Dv&x&tag=2&q=a+b&&e=");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/api/v1/models/a%20b//m%3A1");
  EXPECT_THAT(target->segments, ElementsAre("api", "v1", "models", "a b", "m:1"));
  EXPECT_THAT(target->query, ElementsAre(Pair("tag", "k=v"), Pair("x", ""), Pair("tag", "2"),
                                         Pair("q", "a b"), Pair("e", "")));
  EXPECT_EQ(target->Query("tag"), "k=v");
  EXPECT_EQ(target->Query("none", "f"), "f");
  EXPECT_EQ(target->Query("x", "f"), "");
  EXPECT_TRUE(ParseTarget("/")->segments.empty());
  EXPECT_EQ(ParseTarget("*")->path, "*");
}

TEST(TargetTest, RefusesWhatCouldMislead) {
  for (const std::string_view text :
       {"",         "a",         "http://host/",  "/..",  "/a/../b",  "/./a", "/%2e%2e/a",
        "/%2E/a",   "/a/..%2fb", "/%2e%2e%2fetc", "/%00", "/a?b=%00", "/%",   "/%g1",
        "/a?x=%zz", "/a b",      "/a\n",          "/a#b", "/\x7f",    "/%ff", "/%c3"}) {
    const auto target = ParseTarget(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, Code::kInvalidArgument);
  }
  EXPECT_TRUE(ParseTarget("/.../..a/a..?x=.."));
}

TEST(ProblemTest, EveryFieldComesBack) {
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    const Error error{.code = static_cast<Code>(code),
                      .message = "model 'm': \"quoted\" \xc3\xa9",
                      .id = "Model.Strange",
                      .fix = "register it",
                      .cause = "no such row"};
    const Response problem = Problem(error);
    EXPECT_EQ(problem.status, HttpStatus(error.code));
    EXPECT_EQ(problem.headers.Get("Content-Type"), "application/problem+json");
    const Error back = ErrorFromResponse(problem);
    EXPECT_EQ(back.code, error.code);
    EXPECT_EQ(back.message, error.message);
    EXPECT_EQ(back.id, error.id);
    EXPECT_EQ(back.fix, error.fix);
    EXPECT_EQ(back.cause, error.cause);
  }
}

TEST(ProblemTest, EmptyFieldsStayEmpty) {
  const Error back = ErrorFromResponse(Problem({.code = Code::kAlreadyExists, .message = "m"}));
  EXPECT_EQ(back.code, Code::kAlreadyExists);
  EXPECT_EQ(back.id, "");
  EXPECT_EQ(back.fix, "");
  EXPECT_EQ(back.cause, "");
}

TEST(ProblemTest, HasTheMembersOfRfc9457) {
  const Json json = *ParseJson(Problem({.code = Code::kNotFound, .message = "m"}).body);
  EXPECT_EQ(json["type"], "urn:slipway:error:NotFound");
  EXPECT_EQ(json["title"], "NotFound");
  EXPECT_EQ(json["status"], 404);
  EXPECT_EQ(json["detail"], "m");
  EXPECT_EQ(json["code"], "NotFound");
}

TEST(ProblemTest, TextThatIsNotUtf8StillGivesJson) {
  EXPECT_TRUE(ParseJson(Problem({.code = Code::kInternal, .message = "bad \xff"}).body));
}

TEST(ProblemTest, AnswersOfOthersBecomeErrorsToo) {
  const Error plain = ErrorFromResponse({.status = 404, .body = "no such image\nmore"});
  EXPECT_EQ(plain.code, Code::kNotFound);
  EXPECT_EQ(plain.message, "HTTP status 404 Not Found: no such image");
  const Headers type = {{"Content-Type", "application/problem+json"}};
  for (const char* body : {"", "x", "[1]", "{}", R"({"detail":5,"title":[],"code":{}})"}) {
    const Error error = ErrorFromResponse({.status = 503, .headers = type, .body = body});
    EXPECT_EQ(error.code, Code::kUnavailable) << body;
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(ResponseHeadTest, FramesTheMessageWhateverTheHandlerSays) {
  Response response = JsonResponse(201, "{}");
  response.headers.Add("Content-Length", "99");
  response.headers.Add("transfer-encoding", "chunked");
  response.headers.Add("Location", "/a");
  const std::string head = HeadOf(response, {}, TimePoint(std::chrono::seconds(784111777)));
  EXPECT_EQ(head,
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nLocation: /a\r\n"
            "Content-Length: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST(ResponseHeadTest, ValuesCannotAddFields) {
  const Response response{
      .headers = {{"X-Name", "a\r\nSet-Cookie: b"}, {"Bad Name", "x"}, {"", "x"}, {"A:b", "x"}}};
  const std::string head = HeadOf(response, {.close = true}, TimePoint());
  EXPECT_THAT(head, HasSubstr("X-Name: a  Set-Cookie: b\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Bad")));
  EXPECT_THAT(head, Not(HasSubstr("A:b")));
  EXPECT_THAT(head, HasSubstr("Connection: close\r\n"));
}

TEST(ResponseHeadTest, EveryControlCharacterBecomesASpaceWhereverItIs) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string value(20, 'v');
      value[at] = static_cast<char>(byte);
      std::string expected = value;
      if ((byte < 0x20 && byte != '\t') || byte == 0x7f) expected[at] = ' ';
      EXPECT_THAT(HeadOf({.headers = {{"X", value}}}, {}, TimePoint()),
                  HasSubstr("\r\nX: " + expected + "\r\n"))
          << byte;
    }
  }
}

TEST(ResponseHeadTest, SomeStatusesHaveNoBody) {
  EXPECT_EQ(FramingOf({.status = 204}, {}), Framing::kNone);
  EXPECT_EQ(FramingOf({.status = 304}, {}), Framing::kNone);
  EXPECT_THAT(HeadOf({.status = 204}, {}, TimePoint()), Not(HasSubstr("Content-Length")));
  EXPECT_EQ(ReasonPhrase(404), "Not Found");
  EXPECT_EQ(ReasonPhrase(299), "Unknown");
}

}  // namespace
}  // namespace slipway::http
