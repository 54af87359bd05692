// SPDX-License-Identifier: Apache-2.0
#include "deployer/relay/relay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "deployer/relay/process.h"
#include "tests/support/http_fixture.h"
#include "tests/support/raw_connection.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

class RelayTest : public ::testing::Test {
 protected:
  RelayTest()
      : one_(Server("one")), two_(Server("two")), client_(http::MakeClient({.retries = 0})) {
    auto relay = Relay::Start({.listen = {"127.0.0.1:0"},
                               .control = "127.0.0.1:0",
                               .token = "t",
                               .upstreams = {{.url = testing::UrlOf(*one_)}}});
    EXPECT_TRUE(relay);
    relay_ = *std::move(relay);
    const std::string control = relay_->control_address();
    record_ = {.control_port = std::stoi(control.substr(control.rfind(':') + 1)), .token = "t"};
  }

  static std::unique_ptr<http::Server> Server(const std::string& name) {
    http::ServerOptions options = testing::LocalOptions();
    options.handler_threads = 16;
    return testing::StartServer(std::move(options), [name](http::Request& request) {
      if (request.target == "/slow") std::this_thread::sleep_for(milliseconds(400));
      http::Response response;
      response.status = request.target == "/teapot" ? 418 : 200;
      response.headers.Set("X-Seen", request.headers.Get("X-Mine"));
      response.headers.Set("X-Method", request.method);
      response.headers.Set("X-Hop", std::string(request.headers.Get("X-Drop")));
      response.body = name + request.body;
      return response;
    });
  }
  std::string Url() const { return "http://" + relay_->addresses().front(); }

  std::unique_ptr<http::Server> one_, two_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Relay> relay_;
  RelayRecord record_;
};

TEST_F(RelayTest, HandsRequestsAndAnswersThrough) {
  auto answer = client_->Send({.method = "POST",
                               .target = Url() + "/teapot",
                               .headers = {{"X-Mine", "yes"}},
                               .body = std::string(3'000'000, 'x')});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(answer->body.size(), 3'000'003U);
  EXPECT_EQ(answer->headers.Get("X-Seen"), "yes");
  EXPECT_EQ(answer->headers.Get("X-Method"), "POST");
}

TEST_F(RelayTest, KeepsWhatIsOfOneConnectionToItself) {
  testing::RawConnection raw(relay_->addresses().front());
  raw.Send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: X-Drop\r\nX-Drop: secret\r\n\r\n");
  const std::string answer = raw.ReadResponse();
  EXPECT_NE(answer.find("one"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("secret"), std::string::npos) << answer;
}

TEST_F(RelayTest, SwitchesWhileConnectionsStayOpen) {
  testing::RawConnection raw(relay_->addresses().front());
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  raw.Send(request);
  EXPECT_NE(raw.ReadResponse().find("one"), std::string::npos);
  ASSERT_TRUE(SwitchRelay(*client_, record_, {{.url = testing::UrlOf(*two_)}}));
  raw.Send(request);
  EXPECT_NE(raw.ReadResponse().find("two"), std::string::npos);
}

TEST_F(RelayTest, TellsWhenAnUpstreamHasNothingLeft) {
  std::string body;
  std::thread caller([&] {
    auto answer = client_->Send({.target = Url() + "/slow"});
    body = answer ? answer->body : answer.error().message;
  });
  std::int64_t most = 0;
  for (int i = 0; i < 200 && most == 0; ++i) {
    most = *RelayInFlight(*client_, record_, testing::UrlOf(*one_));
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(most, 1);
  ASSERT_TRUE(SwitchRelay(*client_, record_, {{.url = testing::UrlOf(*two_)}}));
  EXPECT_EQ(*RelayInFlight(*client_, record_, testing::UrlOf(*one_)), 1);
  caller.join();
  EXPECT_EQ(body, "one") << "a request stays with the revision it began with";
  EXPECT_EQ(*RelayInFlight(*client_, record_, testing::UrlOf(*one_)), 0);
}

TEST_F(RelayTest, DividesExactlyWhileManyCall) {
  ASSERT_TRUE(SwitchRelay(*client_, record_,
                          {{.url = testing::UrlOf(*one_), .weight = 90},
                           {.url = testing::UrlOf(*two_), .weight = 10}}));
  std::atomic<int> ones = 0, twos = 0, lost = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto own = http::MakeClient({.retries = 0});
      for (int n = 0; n < 50; ++n) {
        const auto answer = own->Send({.method = "POST", .target = Url() + "/score"});
        ++(answer && answer->body == "one" ? ones : answer && answer->body == "two" ? twos : lost);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ones, 360);
  EXPECT_EQ(twos, 40);
  EXPECT_EQ(lost, 0);
}

TEST_F(RelayTest, TellsWhatIsUnderWayWhereNothingNewGoes) {
  std::thread caller([&] { EXPECT_TRUE(client_->Send({.target = Url() + "/slow"}).has_value()); });
  for (int i = 0; i < 200 && *RelayInFlight(*client_, record_, testing::UrlOf(*one_)) == 0; ++i) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(*RelayDraining(*client_, record_), 0) << "it still gets new ones";
  ASSERT_TRUE(SwitchRelay(
      *client_, record_,
      {{.url = testing::UrlOf(*two_), .weight = 1}, {.url = testing::UrlOf(*one_), .weight = 1}}));
  EXPECT_EQ(*RelayDraining(*client_, record_), 0);
  ASSERT_TRUE(SwitchRelay(*client_, record_, {{.url = testing::UrlOf(*two_)}}));
  EXPECT_EQ(*RelayDraining(*client_, record_), 1);
  caller.join();
  EXPECT_EQ(*RelayDraining(*client_, record_), 0);
}

TEST_F(RelayTest, RefusesOrdersThatMakeNoSense) {
  for (const char* body :
       {"", "[]", "{}", R"([{"url": "http://127.0.0.1:1"}])",
        R"([{"url": "http://127.0.0.1:1", "weight": 0}])",
        R"([{"url": "http://127.0.0.1:1", "weight": -1}])", R"([{"url": "ftp://x", "weight": 1}])",
        R"([{"url": "http://127.0.0.1:1", "weight": 1, "wait": 2}])"}) {
    const auto answer =
        client_->Send({.method = "PUT",
                       .target = "http://" + relay_->control_address() + "/upstreams",
                       .headers = {{"Authorization", "Bearer t"}},
                       .body = body});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 400) << body << " " << answer->body;
  }
  const auto still = client_->Send({.target = Url() + "/"});
  ASSERT_TRUE(still);
  EXPECT_EQ(still->body, "one");
}

TEST(Balance, GivesEachItsShareOfEveryRoundAndNoBursts) {
  Balance balance(
      {{.url = "a", .weight = 5}, {.url = "b", .weight = 1}, {.url = "c", .weight = 1}});
  std::string order;
  for (int i = 0; i < 14; ++i) order += balance.Next();
  EXPECT_EQ(order, "aabacaaaabacaa");
  EXPECT_EQ(Balance().Next(), "");
}

TEST(Balance, ReadsUpstreams) {
  const auto weighted = ParseUpstream("http://127.0.0.1:80=90");
  ASSERT_TRUE(weighted);
  EXPECT_EQ(*weighted, (Upstream{.url = "http://127.0.0.1:80", .weight = 90}));
  EXPECT_EQ(ParseUpstream("http://127.0.0.1:80")->weight, 1);
  for (const char* wrong : {"", "127.0.0.1:80", "http://h:1=", "http://h:1=0", "http://h:1=-1",
                            "http://h:1=1x", "http://h:1=99999999999999999999"}) {
    EXPECT_FALSE(ParseUpstream(wrong)) << wrong;
  }
}

TEST_F(RelayTest, SaysThatNobodyAnswers) {
  ASSERT_TRUE(SwitchRelay(*client_, record_, {{.url = "http://127.0.0.1:1"}}));
  auto answer = client_->Send({.method = "POST", .target = Url() + "/score"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->headers.Get("Retry-After"), "1");
  EXPECT_NE(answer->body.find("Service.Unreachable"), std::string::npos);
}

TEST_F(RelayTest, TakesOrdersOnlyWithTheToken) {
  RelayRecord stranger = record_;
  stranger.token = "other";
  EXPECT_EQ(SwitchRelay(*client_, stranger, {{.url = "http://127.0.0.1:1"}}).error().id,
            "Service.RelayFailed");
  auto answer = client_->Send({.target = Url() + "/upstream"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "one") << "the public port knows no orders";
}

}  // namespace
}  // namespace slipway::deployer
