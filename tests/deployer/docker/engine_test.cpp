// SPDX-License-Identifier: Apache-2.0
#include "deployer/docker/engine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/support/fake_docker.h"
#include "tests/support/http_fixture.h"
#include "tests/support/tempdir.h"

namespace slipway::deployer {
namespace {

using std::chrono::milliseconds;

DockerEngine EngineAt(const std::string& host, EngineTimes times = {}) {
  return DockerEngine(host, *ParseEngineHost(host), times);
}

/// What an engine of those versions is asked.
std::string PathAsked(const std::string& newest, const std::string& oldest) {
  std::mutex mutex;
  std::string asked;
  const auto server = testing::StartServer(testing::LocalOptions(), [&](http::Request& request) {
    const std::lock_guard lock(mutex);
    asked = request.target;
    if (request.target != "/version") return http::JsonResponse(404, "{}");
    return http::JsonResponse(200, DumpJson({{"ApiVersion", newest}, {"MinAPIVersion", oldest}}));
  });
  DockerEngine engine = EngineAt(testing::UrlOf(*server));
  const auto found = engine.FindImage("a:1");
  return found ? asked : found.error().id;
}

TEST(DockerEngine, SpeaksTheNewestVersionThatBothKnow) {
  EXPECT_EQ(PathAsked("1.41", "1.12"), "/v1.41/images/a%3A1/json");
  EXPECT_EQ(PathAsked("1.47", "1.24"), "/v1.47/images/a%3A1/json");
  EXPECT_EQ(PathAsked("1.53", "1.44"), "/v1.47/images/a%3A1/json");
  EXPECT_EQ(PathAsked("1.40", "1.12"), "/v1.40/images/a%3A1/json");
  EXPECT_EQ(PathAsked("1.39", "1.12"), "Service.EngineTooOld");
  EXPECT_EQ(PathAsked("1.60", "1.48"), "Service.EngineTooOld");
  EXPECT_EQ(PathAsked("two", ""), "Service.EngineTooOld");
}

TEST(DockerEngine, SaysThatTheEngineIsSlow) {
  const testing::TempDir folder;
  testing::FakeDocker docker(folder / "docker.sock");
  docker.Break("GET /containers/{id}/json", {.delay = milliseconds(2'000)});
  DockerEngine engine =
      EngineAt(docker.host(), {.connect = milliseconds(500), .call = milliseconds(300)});
  const auto seen = engine.Inspect("one");
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().id, "Service.EngineSlow");
  EXPECT_NE(seen.error().message.find("docker.sock"), std::string::npos);
}

TEST(DockerEngine, GivesThingsThatAreNotThereAsNothing) {
  const testing::TempDir folder;
  testing::FakeDocker docker(folder / "docker.sock");
  DockerEngine engine = EngineAt(docker.host());
  EXPECT_FALSE(engine.Inspect("none")->has_value());
  EXPECT_FALSE(engine.FindImage("none:1")->has_value());
  EXPECT_TRUE(engine.Stop("none", std::chrono::seconds(1)));
  EXPECT_TRUE(engine.Remove("none"));
  EXPECT_TRUE(engine.RemoveImage("none:1"));
  EXPECT_EQ(engine.Load(folder / "none.tar").error().code, Code::kNotFound);
  EXPECT_EQ(engine.Logs("none", 5).error().id, "Service.EngineRefused");
}

TEST(DockerEngine, ReadsTheCauseOutOfTheEnginesWords) {
  EXPECT_EQ(EngineCause("write /x: no space left on device", "F"), "DiskFull");
  EXPECT_EQ(EngineCause("Bind for 0.0.0.0:80 failed: port is already allocated", "F"), "PortInUse");
  EXPECT_EQ(EngineCause("network blue not found", "F"), "NetworkMissing");
  EXPECT_EQ(EngineCause("No such image: a:1", "F"), "ImageMissing");
  EXPECT_EQ(EngineCause("exec /x: exec format error", "F"), "WrongArchitecture");
  EXPECT_EQ(EngineCause("something new", "F"), "F");
}

}  // namespace
}  // namespace slipway::deployer
