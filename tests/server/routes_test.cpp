// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <array>
#include <ctime>
#include <limits>
#include <set>
#include <thread>

#include "base/file.h"
#include "tests/server/server_fixture.h"
#include "tests/support/json.h"

namespace slipway::server {
namespace {

class RoutesTest : public ServerFixture {};

TEST_F(RoutesTest, TableHasNoDuplicatesAndIsDescribed) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Route& route : AllRoutes()) {
    EXPECT_TRUE(seen.emplace(route.method, route.path).second) << route.path;
    EXPECT_FALSE(route.summary.empty()) << route.path;
    EXPECT_NE(route.handle, nullptr);
  }
}

TEST_F(RoutesTest, AliveAndReady) {
  Start();
  ASSERT_TRUE(loaded_) << loaded_.error().message;
  for (const char* path : {"/", "/healthz"}) {
    const auto response = Send("GET", path);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "Healthy");
    EXPECT_EQ(response.headers.Get("Content-Type"), "text/plain; charset=utf-8");
  }
  EXPECT_EQ(Send("HEAD", "/").status, 200);
  EXPECT_EQ(Send("GET", "/readyz").status, 200);
}

TEST_F(RoutesTest, UnknownPathsAndMethods) {
  Start();
  const auto missing = Send("GET", "/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(Parse(missing)["message"], "there is no /nothing");
  const auto method = Send("DELETE", "/score");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.Get("Allow"), "GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(Parse(method)["message"], "/score does not take DELETE");
  EXPECT_EQ(Send("GET", "/v2/models/tiny/infer").status, 405);
  EXPECT_TRUE(Parse(Send("GET", "/v2/nothing")).contains("error"));
  EXPECT_EQ(Send("GET", "/%zz").status, 400);
  EXPECT_EQ(Send("OPTIONS", "/score").status, 200);
}

TEST_F(RoutesTest, IdsAreEchoedOrMade) {
  Start();
  const auto made = Send("GET", "/");
  EXPECT_EQ(made.headers.Get("x-request-id").size(), 36U);
  EXPECT_EQ(made.headers.Get("x-ms-request-id"), made.headers.Get("x-request-id"));
  EXPECT_FALSE(made.headers.Has("x-ms-client-request-id"));
  const auto echoed = Send("GET", "/", "",
                           {{"x-request-id", "a"},
                            {"x-ms-request-id", "b"},
                            {"x-ms-client-request-id", "c"},
                            {"TraceId", "d"}});
  EXPECT_EQ(echoed.headers.Get("x-request-id"), "a");
  EXPECT_EQ(echoed.headers.Get("x-ms-request-id"), "b");
  EXPECT_EQ(echoed.headers.Get("x-ms-client-request-id"), "c");
  EXPECT_EQ(echoed.headers.Get("TraceId"), "d");
  EXPECT_EQ(Send("GET", "/", "", {{"x-request-id", std::string(100, 'i')}}).status, 200);
  for (const char* name : {"x-request-id", "x-ms-request-id", "x-ms-client-request-id"}) {
    const auto refused = Send("GET", "/", "", {{name, std::string(101, 'i')}});
    EXPECT_EQ(refused.status, 431) << name;
    EXPECT_NE(Parse(refused)["message"].get<std::string>().find(name), std::string::npos);
  }
}

TEST_F(RoutesTest, MetricsCountByRoute) {
  Start();
  Send("GET", "/nothing/a");
  Send("GET", "/nothing/b");
  Post("/score", R"({"data": [[1, 2]]})");
  const std::string text = Send("GET", "/metrics").body;
  EXPECT_NE(text.find("slipway_requests_total{route=\"other\",status=\"404\"} 2\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("slipway_requests_total{route=\"/score\",status=\"200\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("slipway_run_seconds_count{model=\"tiny:3\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("slipway_requests_in_flight 1\n"), std::string::npos);
  EXPECT_NE(text.find("process_resident_memory_bytes "), std::string::npos);
  EXPECT_NE(text.find("slipway_model_load_seconds{model=\"tiny:3\"} "), std::string::npos);
}

/// The one sample of a metric without labels; NaN if it is not there exactly once, described.
double Sample(const std::string& text, const std::string& name) {
  const std::string line = "\n" + name + " ";
  const std::size_t at = text.find(line);
  const bool once = at != std::string::npos && text.find(line, at + 1) == std::string::npos;
  const bool described = text.find("# HELP " + name + " ") != std::string::npos &&
                         text.find("# TYPE " + name + " ") != std::string::npos;
  if (!once || !described) return std::numeric_limits<double>::quiet_NaN();
  return std::stod(text.substr(at + line.size()));
}

TEST_F(RoutesTest, MetricsTellOfTheProcessAsPrometheusClientsDo) {
  Start();
  const std::string before = Send("GET", "/metrics").body;
  const double now = static_cast<double>(std::time(nullptr));
  EXPECT_LE(Sample(before, "process_start_time_seconds"), now + 1);
  EXPECT_GT(Sample(before, "process_start_time_seconds"), now - 3600);
  EXPECT_GT(Sample(before, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(Sample(before, "process_virtual_memory_bytes"),
            Sample(before, "process_resident_memory_bytes"));
  EXPECT_GT(Sample(before, "process_max_fds"), Sample(before, "process_open_fds"));
  const double cpu = Sample(before, "process_cpu_seconds_total");
  EXPECT_GE(cpu, 0);
  const std::clock_t begin = std::clock();
  while (std::clock() - begin < CLOCKS_PER_SEC / 20) {
  }
  std::array<UniqueFd, 5> more;
  for (UniqueFd& fd : more) fd = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string after = Send("GET", "/metrics").body;
  EXPECT_GE(Sample(after, "process_cpu_seconds_total"), cpu + 0.04);
  EXPECT_GE(Sample(after, "process_open_fds"), Sample(before, "process_open_fds") + 5);
  EXPECT_EQ(Sample(after, "process_start_time_seconds"),
            Sample(before, "process_start_time_seconds"));
}

TEST_F(RoutesTest, DescriptionsFollowTheModel) {
  Start();
  const Json open = Parse(Send("GET", "/openapi.json"));
  EXPECT_EQ(open["openapi"], "3.0.3");
  for (const Route& route : AllRoutes()) {
    EXPECT_TRUE(open["paths"].contains(std::string(route.path))) << route.path;
  }
  const Json swagger = Parse(Send("GET", "/swagger.json"));
  EXPECT_EQ(swagger["swagger"], "2.0");
  const std::string input = service_->scorer().models()[0].model().inputs()[0].name;
  EXPECT_TRUE(swagger["definitions"]["ServiceInput"]["properties"].contains(input));
  EXPECT_EQ(Parse(Send("GET", "/swagger.json?version=3"))["openapi"], "3.0.3");
  EXPECT_EQ(Send("GET", "/swagger.json?version=4").status, 404);
}

TEST_F(RoutesTest, PathPrefixAndCors) {
  ScorerOptions options = Tiny();
  options.environment.path_prefix = "/api/v1/service/tiny";
  options.environment.cors_origins = "https://a.example, https://b.example";
  Start(std::move(options));
  EXPECT_EQ(Post("/api/v1/service/tiny/score", R"({"data": [[1, 2]]})").status, 200);
  EXPECT_EQ(Send("GET", "/").status, 200);
  const auto allowed = Send("OPTIONS", "/score", "", {{"Origin", "https://b.example"}});
  EXPECT_EQ(allowed.headers.Get("Access-Control-Allow-Origin"), "https://b.example");
  const auto other = Send("OPTIONS", "/score", "", {{"Origin", "https://c.example"}});
  EXPECT_FALSE(other.headers.Has("Access-Control-Allow-Origin"));
}

TEST_F(RoutesTest, AModelThatCannotBeLoaded) {
  WriteModel("tiny/tiny.onnx", "this is no model");
  Start();
  ASSERT_FALSE(loaded_);
  EXPECT_NE(loaded_.error().message.find("model tiny:3"), std::string::npos);
  EXPECT_EQ(Send("GET", "/").status, 200);
  const auto ready = Send("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(Parse(ready)["state"], "failed");
  EXPECT_EQ(Post("/score", R"({"data": [[1, 2]]})").status, 503);
}

TEST_F(RoutesTest, TimeoutsSayHowLong) {
  ScorerOptions options = Tiny();
  options.timeout = std::chrono::milliseconds(0);
  Start(std::move(options));
  bool timed_out = false;
  for (int i = 0; i < 200 && !timed_out; ++i) {
    const auto response = Post("/score", R"({"data": [[1, 2]]})");
    timed_out = response.status == 500;
    if (timed_out) {
      EXPECT_EQ(Parse(response)["message"], "Scoring timeout after 0 ms");
      EXPECT_EQ(response.headers.Get("x-ms-run-function-failed"), "True");
    }
  }
  EXPECT_TRUE(timed_out);
}

TEST_F(RoutesTest, SeveralModels) {
  ScorerOptions options = Tiny();
  options.models.push_back({.name = "tiny", .version = "4", .path = folder_ / "tiny"});
  options.models.push_back({.name = "other", .version = "1", .path = folder_ / "tiny"});
  Start(std::move(options));
  const auto ambiguous = Post("/score", R"({"data": [[1, 2]]})");
  EXPECT_EQ(ambiguous.status, 400);
  EXPECT_NE(ambiguous.body.find("tiny:3, tiny:4, other:1"), std::string::npos) << ambiguous.body;
  EXPECT_EQ(Parse(Send("GET", "/v2/models/tiny"))["versions"], testing::ParsedJson(R"(["3","4"])"));
  const std::string body =
      R"({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})";
  EXPECT_EQ(Parse(Post("/v2/models/tiny/infer", body))["model_version"], "4");
  EXPECT_EQ(Parse(Post("/v2/models/other/infer", body))["model_name"], "other");
}

TEST_F(RoutesTest, ConcurrentRequestsGetTheirOwnAnswers) {
  Start();
  std::vector<std::thread> users;
  for (int user = 0; user < 8; ++user) {
    users.emplace_back([this, user] {
      for (int i = 0; i < 50; ++i) {
        const int value = user * 1000 + i;
        const auto response = Post("/score", R"({"data": [[)" + std::to_string(value) + ", 0.5]]}");
        ASSERT_EQ(response.status, 200) << response.body;
        EXPECT_EQ(Parse(response)["output"][0][0], value * 2.0);
      }
    });
  }
  for (std::thread& user : users) user.join();
}

}  // namespace
}  // namespace slipway::server
