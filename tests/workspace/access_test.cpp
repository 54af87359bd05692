// SPDX-License-Identifier: Apache-2.0
/// Tokens, beyond what tests/rest/tokens.test asks: time, secrets, and the table of roles.
#include "workspace/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "base/json.h"
#include "tests/workspace/fixture.h"

namespace slipway::workspace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A clock that is moved by hand.
class HandClock final : public Clock {
 public:
  TimePoint Now() override { return now; }
  std::chrono::steady_clock::time_point Steady() override { return SystemClock().Steady(); }
  void Sleep(std::chrono::milliseconds duration) override { SystemClock().Sleep(duration); }
  std::atomic<TimePoint> now{TimePoint(std::chrono::seconds(1'800'000'000))};
};

/// A router over a workspace, asked without a network.
class Access : public ::testing::Test {
 protected:
  Access() {
    auto opened = Workspace::Open(
        {.state = folder_ / "state", .server_program = {}, .pack_ahead = false}, clock_);
    EXPECT_TRUE(opened) << opened.error().message;
    workspace_ = *std::move(opened);
    router_ = std::make_unique<Router>(*workspace_);
    admin_ = workspace_->token();
    EXPECT_EQ(Ask("POST", "/api/v1/workspaces", R"({"name": "lab"})").status, 201);
  }

  http::Response Ask(const std::string& method, const std::string& path, std::string body = {},
                     const std::string& token = "", const std::string& key = "") {
    http::Request request{.method = method, .target = path, .body = std::move(body)};
    request.headers.Set("Authorization", "Bearer " + (token.empty() ? admin_ : token));
    if (!key.empty()) request.headers.Set("Idempotency-Key", key);
    return router_->Handle(request);
  }

  std::string Make(const std::string& name, const std::string& role, std::int64_t seconds = 0) {
    const Json wanted{{"name", name}, {"role", role}, {"expires_in_seconds", seconds}};
    const auto made = Ask("POST", "/api/v1/workspaces/lab/tokens", DumpJson(wanted));
    EXPECT_EQ(made.status, 201) << made.body;
    const auto json = ParseJson(made.body);
    return json ? json->value("token", "") : "";
  }

  HandClock clock_;
  testing::TempDir folder_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Router> router_;
  std::string admin_;
};

TEST_F(Access, ATokenEndsWhenItIsSaidTo) {
  const std::string token = Make("brief", "reader", 60);
  clock_.now = clock_.now.load() + std::chrono::seconds(59);
  EXPECT_EQ(Ask("GET", "/api/v1/workspaces/lab", "", token).status, 200);
  clock_.now = clock_.now.load() + std::chrono::seconds(2);
  const auto late = Ask("GET", "/api/v1/workspaces/lab", "", token);
  EXPECT_EQ(late.status, 401) << late.body;
  EXPECT_THAT(late.body, HasSubstr("Auth.Expired"));
  EXPECT_THAT(late.body, HasSubstr("brief"));
  EXPECT_EQ(late.headers.Get("WWW-Authenticate"), "Bearer");
  const auto list = Ask("GET", "/api/v1/workspaces/lab/tokens");
  EXPECT_THAT(list.body, HasSubstr("Expired"));
}

TEST_F(Access, SecretsAreKeptNowhere) {
  const std::string token = Make("ci", "deployer");
  const auto text = ParseToken(token);
  ASSERT_TRUE(text);
  const auto again = Ask("POST", "/api/v1/workspaces/lab/tokens",
                         R"({"name": "ci2", "role": "reader"})", "", "one-key");
  ASSERT_EQ(again.status, 201);
  const auto second = ParseJson(again.body);
  ASSERT_TRUE(second);
  const auto secret2 = ParseToken(second->value("token", ""));
  ASSERT_TRUE(secret2);
  EXPECT_EQ(again.headers.Get("Cache-Control"), "no-store");
  for (const char* path : {"/api/v1/workspaces/lab/tokens", "/api/v1/workspaces/lab/audit"}) {
    EXPECT_THAT(Ask("GET", path).body, Not(HasSubstr(text->secret))) << path;
  }
  workspace_.reset();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "state")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    EXPECT_THAT(content.str(), Not(HasSubstr(text->secret))) << entry.path();
    EXPECT_THAT(content.str(), Not(HasSubstr(secret2->secret))) << entry.path();
  }
}

/// Every route with every role: exactly the roles from the route's own upwards get past the door.
TEST_F(Access, EveryRouteAsksForItsRole) {
  const std::map<Role, std::string> tokens = {{Role::kReader, Make("r", "reader")},
                                              {Role::kContributor, Make("c", "contributor")},
                                              {Role::kDeployer, Make("d", "deployer")}};
  int refused = 0;
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) {
      if (!route.path.starts_with("/api/")) continue;
      std::string path(route.path);
      for (std::size_t at = path.find("{w}"); at != std::string::npos; at = path.find("{w}")) {
        path.replace(at, 3, "lab");
      }
      for (const auto& [role, token] : tokens) {
        if (role >= route.role) continue;
        const auto answer = Ask(std::string(route.method), path, "{}", token);
        EXPECT_EQ(answer.status, 403)
            << route.method << " " << route.path << " as " << RoleName(role) << ": " << answer.body;
        EXPECT_THAT(answer.body, HasSubstr("Auth.Forbidden"));
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 30);
}

/// What changes something is for none who may only see.
TEST(Roles, ReadersChangeNothing) {
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) {
      if (!route.path.starts_with("/api/") || route.changes_nothing) continue;
      if (route.method == "GET" || route.method == "HEAD") continue;
      EXPECT_GE(route.role, Role::kContributor) << route.method << " " << route.path;
    }
  }
}

TEST(Roles, AreReadAsTheyAreWritten) {
  for (const Role role : {Role::kReader, Role::kContributor, Role::kDeployer, Role::kOwner}) {
    const auto read = RoleFromName(RoleName(role));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, role);
  }
  EXPECT_FALSE(RoleFromName("Owner"));
  EXPECT_FALSE(RoleFromName(""));
}

TEST(Tokens, OnlyWholeOnesAreRead) {
  const std::string good = FormatToken(MakeTokenText());
  EXPECT_TRUE(ParseToken(good));
  EXPECT_FALSE(ParseToken(good.substr(0, good.size() - 1)));
  EXPECT_FALSE(ParseToken(good + "0"));
  EXPECT_FALSE(ParseToken(""));
  EXPECT_FALSE(ParseToken("slipway_"));
  std::string other = good;
  other.back() = 'G';
  EXPECT_FALSE(ParseToken(other));
  EXPECT_NE(good, FormatToken(MakeTokenText()));
}

}  // namespace
}  // namespace slipway::workspace
