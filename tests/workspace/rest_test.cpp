// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/imagebuilder/raw_layer.h"
#include "tests/support/fake_registry.h"
#include "tests/support/script.h"
#include "tests/workspace/fixture.h"

namespace slipway::workspace {
namespace {

using testing::ScriptStep;

std::filesystem::path ScriptFolder() {
  return std::filesystem::path(SLIPWAY_SOURCE_DIR) / "tests" / "rest";
}

std::vector<std::string> ScriptNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ScriptFolder())) {
    if (entry.path().extension() == ".test") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ScriptStep> ReadScript(const std::string& name) {
  constexpr std::int64_t kBytesMax = 1 << 20;
  const auto text = ReadFile(ScriptFolder() / (name + ".test"), kBytesMax);
  EXPECT_TRUE(text);
  auto steps = testing::ParseScript(text ? *text : "");
  EXPECT_TRUE(steps) << steps.error().message;
  return steps ? *std::move(steps) : std::vector<ScriptStep>();
}

/// A folder as an archive, and one that must not be unpacked.
void WriteArchives(const std::filesystem::path& folder) {
  using imagebuilder::RawTar;
  const std::string both = RawTar({{.name = "net/", .type = '5', .mode = 0755},
                                   {.name = "net/tiny.onnx", .content = testing::MakeTinyOnnx()},
                                   {.name = "net/notes.txt", .content = "notes"}});
  ASSERT_TRUE(WriteFileAtomic(folder / "both.tar.gz", imagebuilder::Gzip(both)));
  const std::string link = RawTar({{.name = "evil", .type = '2', .link = "/etc/passwd"}});
  ASSERT_TRUE(WriteFileAtomic(folder / "link.tar", link));
}

/// A server that only holds its port.
std::unique_ptr<http::Server> HoldPort() {
  auto server = http::Server::Start({.listen = {"127.0.0.1:0"}},
                                    [](http::Request&) { return http::Response{}; });
  EXPECT_TRUE(server);
  return server ? *std::move(server) : nullptr;
}

/// An operation that runs until it is cancelled.
std::string StartEndless(Workspace& workspace) {
  Job job{.kind = "test.endless"};
  job.run = [](Progress& progress) -> Result<void> {
    while (!progress.Cancelled()) SystemClock().Sleep(std::chrono::milliseconds(1));
    return Error{.code = Code::kUnavailable, .message = "ended"};
  };
  const auto started = workspace.operations().Start(std::move(job));
  EXPECT_TRUE(started);
  return started ? started->id : "";
}

class RestTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RestTest, AnswersAsTheScriptSays) {
  const std::vector<ScriptStep> steps = ReadScript(GetParam());
  ASSERT_FALSE(steps.empty());
  const bool builds = std::any_of(steps.begin(), steps.end(),
                                  [](const ScriptStep& step) { return step.method == "WAIT"; });
  if (builds && !std::filesystem::exists(ServeProgram())) {
    GTEST_SKIP() << ServeProgram() << " is not built";
  }
  const testing::TempDir folder;
  const std::filesystem::path files = folder / "files";
  ASSERT_TRUE(MakeFolders(files));
  WriteModelFiles(files);
  ASSERT_NO_FATAL_FAILURE(WriteArchives(files));
  const testing::FakeRegistry registry;
  const auto held = HoldPort();
  const std::string taken = held->addresses().front();
  RunningWorkspace running(folder / "state");
  ASSERT_TRUE(running.ok());
  const std::string token = running.workspace().token();
  const Result<void> ran = testing::RunScript(
      steps, {.folders = {files},
              .variables = {{"token", token},
                            {"endless", StartEndless(running.workspace())},
                            {"taken_port", taken.substr(taken.rfind(':') + 1)},
                            {"registry", registry.host()}},
              .headers = {{"Authorization", "Bearer " + token}},
              .send = [&running](const http::Request& request) { return running.Send(request); }});
  EXPECT_TRUE(ran) << GetParam() << ".test, " << ran.error().message;
}

INSTANTIATE_TEST_SUITE_P(Scripts, RestTest, ::testing::ValuesIn(ScriptNames()),
                         [](const auto& script) { return script.param; });

bool Fits(std::string_view pattern, std::string_view target) {
  const std::vector<std::string> wanted = Split(pattern, '/');
  const std::vector<std::string> got = Split(target.substr(0, target.find('?')), '/');
  return std::equal(wanted.begin(), wanted.end(), got.begin(), got.end(),
                    [](const std::string& w, const std::string& g) {
                      return w == g || (!w.empty() && w.front() == '{');
                    });
}

/// Routes that succeed only with what this machine may not have, and the test that calls them.
const std::map<std::string, std::string> kTriedElsewhere = {
    {"GET /api/v1/workspaces/{w}/images/{name}/versions/{v}/lock", "python_image_test.sh"}};

TEST(Routes, EachOccursInAScript) {
  // Some routes only say why there is nothing.
  constexpr int kNotThere = 501;
  std::vector<ScriptStep> steps;
  for (const std::string& name : ScriptNames()) {
    for (ScriptStep& step : ReadScript(name)) steps.push_back(std::move(step));
  }
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) {
      const std::string name = std::string(route.method) + " " + std::string(route.path);
      if (kTriedElsewhere.contains(name)) continue;
      const bool occurs = std::any_of(steps.begin(), steps.end(), [&](const ScriptStep& step) {
        const bool answers = step.status < 400 || step.status == kNotThere;
        return step.method == route.method && answers && Fits(route.path, step.target);
      });
      EXPECT_TRUE(occurs) << "no script in tests/rest has " << name << " succeed";
    }
  }
}

TEST(Routes, AreNamedOnceAndExplained) {
  std::set<std::string> seen;
  for (const Unit<RouteList>& unit : routes_table()) {
    for (const Route& route : unit.make()) {
      const std::string name = std::string(route.method) + " " + std::string(route.path);
      EXPECT_TRUE(seen.insert(name).second) << name << " is there twice";
      EXPECT_FALSE(route.summary.empty()) << name;
      EXPECT_NE(route.handle, nullptr) << name;
    }
  }
}

}  // namespace
}  // namespace slipway::workspace
