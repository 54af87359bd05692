// SPDX-License-Identifier: Apache-2.0
/// Runs tests/cli/*.test with the programs of this build, each script with a state folder of its
/// own, and checks that every command occurs in one of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/http/client.h"
#include "base/http/server.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "tests/support/cli_script.h"
#include "tests/support/fake_registry.h"
#include "tests/support/tempdir.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using testing::CliStep;
using testing::CliSurroundings;

fs::path ScriptFolder() { return fs::path(SLIPWAY_SOURCE_DIR) / "tests" / "cli"; }

std::string Text(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> ScriptNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(ScriptFolder())) {
    if (entry.path().extension() == ".test") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

CliSurroundings SurroundingsIn(const fs::path& folder) {
  CliSurroundings around;
  around.program = fs::path(SLIPWAY_BINARY_DIR) / "bin" / "slipway";
  around.folder = folder / "work";
  fs::create_directories(around.folder);
  const std::string path = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  around.environment = {
      {"PATH", path}, {"HOME", folder.string()}, {"SLIPWAY_STATE", (folder / "state").string()}};
  around.variables = {{"DIGITS", SLIPWAY_SOURCE_DIR "/templates/digits"},
                      {"MODELS", SLIPWAY_SOURCE_DIR "/tests/models"},
                      {"STATE", (folder / "state").string()},
                      {"WORK", around.folder.string()}};
  return around;
}

class CliScript : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { (void)testing::RunCli({"slipway", "down"}, around_); }

  testing::TempDir folder_;
  CliSurroundings around_ = SurroundingsIn(folder_.path());
};

TEST_P(CliScript, DoesWhatItSays) {
  const auto taken = http::Server::Start(
      {.listen = {"127.0.0.1:0"}}, [](http::Request&) { return http::Response{.status = 404}; });
  ASSERT_TRUE(taken) << taken.error().message;
  const std::string address = (*taken)->addresses().front();
  around_.variables["BUSY_PORT"] = address.substr(address.rfind(':') + 1);

  const testing::FakeRegistry registry;
  around_.variables["REGISTRY"] = registry.host();

  const auto steps = testing::ParseCliScript(Text(ScriptFolder() / (GetParam() + ".test")));
  ASSERT_TRUE(steps) << steps.error().message;
  ASSERT_FALSE(steps->empty());
  for (const CliStep& step : *steps) {
    const auto done = testing::RunCliStep(step, around_);
    ASSERT_TRUE(done) << GetParam() << ".test:" << step.line << ": "
                      << Join(step.argv.empty() ? step.setup : step.argv, " ") << "\n"
                      << done.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, CliScript, ::testing::ValuesIn(ScriptNames()),
                         [](const auto& script) { return script.param; });

TEST(CliScripts, EveryCommandOccurs) {
  std::set<std::string> seen;
  for (const std::string& name : ScriptNames()) {
    const auto steps = testing::ParseCliScript(Text(ScriptFolder() / (name + ".test")));
    ASSERT_TRUE(steps) << name << ": " << steps.error().message;
    for (const CliStep& step : *steps) {
      const auto& words = step.argv;
      if (words.size() > 1) seen.insert(words[1]);
      if (words.size() > 2) seen.insert(words[1] + " " + words[2]);
    }
  }
  for (const Unit<Command>& unit : commands_table()) {
    const Command command = unit.make();
    EXPECT_TRUE(seen.contains(std::string(command.path))) << "no script has " << command.path;
  }
}

TEST(CliCommands, SayWhatTheyDo) {
  std::set<std::string_view> paths;
  for (const Unit<Command>& unit : commands_table()) {
    const Command command = unit.make();
    std::string stem(command.path);
    std::replace(stem.begin(), stem.end(), ' ', '_');
    EXPECT_EQ(stem, unit.name) << "a command is named as its file";
    EXPECT_TRUE(paths.insert(command.path).second) << command.path;
    EXPECT_FALSE(command.summary.empty()) << command.path;
    EXPECT_TRUE(command.example.find("slipway " + std::string(command.path)) != std::string::npos)
        << command.path << ": " << command.example;
  }
}

TEST(CliServe, ScoresAModelFileUntilItIsStopped) {
  const testing::TempDir folder;
  const CliSurroundings around = SurroundingsIn(folder.path());
  const fs::path digits = fs::path(SLIPWAY_SOURCE_DIR) / "templates" / "digits";
  std::string port;
  {
    const auto free = http::Server::Start(
        {.listen = {"127.0.0.1:0"}}, [](http::Request&) { return http::Response{.status = 404}; });
    ASSERT_TRUE(free) << free.error().message;
    const std::string address = (*free)->addresses().front();
    port = address.substr(address.rfind(':') + 1);
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : around.environment) environment.push_back(name + "=" + value);
  const fs::path log = folder / "serve.log";
  const auto process = Spawn({.argv = {around.program.string(), "serve",
                                       (digits / "digits.onnx").string(), "--port", port},
                              .environment = environment,
                              .log = log});
  ASSERT_TRUE(process) << process.error().message;
  const auto client = http::MakeClient({.retries = 0});
  http::Request request{.method = "POST", .target = "http://127.0.0.1:" + port + "/score"};
  request.headers.Set("Content-Type", "application/json");
  request.body = Text(digits / "samples" / "digits_7.json");
  auto response = client->Send(request);
  for (int i = 0; i < 500 && (!response || response->status != 200); ++i) {
    SystemClock().Sleep(std::chrono::milliseconds(20));
    response = client->Send(request);
  }
  EXPECT_TRUE(Terminate(*process, std::chrono::seconds(10)));
  ASSERT_TRUE(response) << response.error().message << "\n" << Text(log);
  EXPECT_EQ(response->status, 200) << response->body;
  EXPECT_NE(response->body.find("["), std::string::npos) << response->body;
}

}  // namespace
}  // namespace slipway::cli
