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
                               .upstream = testing::UrlOf(*one_)});
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
  ASSERT_TRUE(SwitchRelay(*client_, record_, testing::UrlOf(*two_)));
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
  ASSERT_TRUE(SwitchRelay(*client_, record_, testing::UrlOf(*two_)));
  EXPECT_EQ(*RelayInFlight(*client_, record_, testing::UrlOf(*one_)), 1);
  caller.join();
  EXPECT_EQ(body, "one") << "a request stays with the revision it began with";
  EXPECT_EQ(*RelayInFlight(*client_, record_, testing::UrlOf(*one_)), 0);
}

TEST_F(RelayTest, SaysThatNobodyAnswers) {
  ASSERT_TRUE(SwitchRelay(*client_, record_, "http://127.0.0.1:1"));
  auto answer = client_->Send({.method = "POST", .target = Url() + "/score"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->headers.Get("Retry-After"), "1");
  EXPECT_NE(answer->body.find("Service.Unreachable"), std::string::npos);
}

TEST_F(RelayTest, TakesOrdersOnlyWithTheToken) {
  RelayRecord stranger = record_;
  stranger.token = "other";
  EXPECT_EQ(SwitchRelay(*client_, stranger, "http://127.0.0.1:1").error().id,
            "Service.RelayFailed");
  auto answer = client_->Send({.target = Url() + "/upstream"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "one") << "the public port knows no orders";
}

}  // namespace
}  // namespace slipway::deployer
