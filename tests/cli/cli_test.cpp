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

/// A server that `slipway serve` became, until the end of the test.
class CliServe : public ::testing::Test {
 protected:
  CliServe() {
    const auto free = http::Server::Start(
        {.listen = {"127.0.0.1:0"}}, [](http::Request&) { return http::Response{.status = 404}; });
    EXPECT_TRUE(free) << free.error().message;
    const std::string address = (*free)->addresses().front();
    port_ = address.substr(address.rfind(':') + 1);
  }
  void TearDown() override {
    Stop();
    (void)testing::RunCli({"slipway", "down"}, around_);
  }
  void Stop() {
    if (process_.pid == 0) return;
    EXPECT_TRUE(Terminate(process_, std::chrono::seconds(10)));
    process_ = {};
  }
  void Serve(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {around_.program.string(), "serve"});
    arguments.insert(arguments.end(), {"--port", port_});
    std::vector<std::string> environment;
    for (const auto& [name, value] : around_.environment) {
      environment.push_back(name + "=" + value);
    }
    const auto process = Spawn({.argv = arguments,
                                .environment = environment,
                                .folder = around_.folder,
                                .log = folder_ / "serve.log"});
    ASSERT_TRUE(process) << process.error().message;
    process_ = *process;
  }
  http::Response AskSeven() {
    const auto client = http::MakeClient({.retries = 0});
    http::Request request{.method = "POST", .target = "http://127.0.0.1:" + port_ + "/score"};
    request.headers.Set("Content-Type", "application/json");
    request.body = Text(Digits() / "samples" / "digits_7.json");
    auto response = client->Send(request);
    for (int i = 0; i < 1500 && IsRunning(process_) && (!response || response->status == 503);
         ++i) {
      SystemClock().Sleep(std::chrono::milliseconds(20));
      response = client->Send(request);
    }
    EXPECT_TRUE(response) << response.error().message << "\n" << Log();
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  void Run(std::vector<std::string> words) {
    words.insert(words.begin(), "slipway");
    const auto outcome = testing::RunCli(words, around_);
    ASSERT_TRUE(outcome) << outcome.error().message;
    ASSERT_EQ(outcome->status, 0) << outcome->err;
  }
  void BuildDigits() {
    Run({"up", "-q"});
    Run({"model", "register", (Digits() / "digits.onnx").string(), "--name", "digits", "-q"});
    Run({"image", "create", "digits", "--model", "digits:1", "-q"});
  }
  static fs::path Digits() { return fs::path(SLIPWAY_SOURCE_DIR) / "templates" / "digits"; }
  std::string Log() const { return Text(folder_ / "serve.log"); }

  testing::TempDir folder_;
  CliSurroundings around_ = SurroundingsIn(folder_.path());
  std::string port_;
  ProcessId process_;
};

TEST_F(CliServe, ScoresAModelFileUntilItIsStopped) {
  Serve({(Digits() / "digits.onnx").string()});
  const auto response = AskSeven();
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_NE(response.body.find("["), std::string::npos) << response.body;
}

TEST_F(CliServe, BoundsAModel) {
  Serve({(Digits() / "digits.onnx").string(), "--memory-limit", "4K"});
  EXPECT_EQ(WaitForExit(process_, std::chrono::seconds(30)), 3);
  process_ = {};
  EXPECT_NE(Log().find("cause=Run.MemoryLimit"), std::string::npos) << Log();
}

TEST_F(CliServe, ScoresAnImageOfTheWorkspaceAndKeepsIt) {
  ASSERT_NO_FATAL_FAILURE(BuildDigits());
  around_.environment["AZUREML_ENTRY_SCRIPT"] = "not-of-the-image.py";
  ASSERT_NO_FATAL_FAILURE(Serve({"digits:1"}));
  const auto first = AskSeven();
  EXPECT_EQ(first.status, 200) << first.body << Log();
  EXPECT_NE(Log().find("downloading digits:1"), std::string::npos) << Log();
  const std::string program = fs::read_symlink("/proc/" + std::to_string(process_.pid) + "/exe");
  EXPECT_NE(program.find(folder_.path().string()), std::string::npos) << "the image's own server";
  Stop();
  fs::remove(folder_ / "serve.log");
  ASSERT_NO_FATAL_FAILURE(Serve({"digits"}));
  EXPECT_EQ(AskSeven().body, first.body);
  EXPECT_EQ(Log().find("downloading"), std::string::npos) << Log();
}

TEST_F(CliServe, ScoresAnArchiveWithoutAWorkspace) {
  ASSERT_NO_FATAL_FAILURE(BuildDigits());
  Run({"image", "save", "digits:1", "digits.tar"});
  Run({"image", "save", "digits:1", "layout", "-f", "oci-dir"});
  Run({"down"});
  fs::remove_all(folder_ / "state");
  for (const char* place : {"digits.tar", "layout"}) {
    fs::remove_all(folder_ / ".cache");
    ASSERT_NO_FATAL_FAILURE(Serve({place}));
    EXPECT_EQ(AskSeven().status, 200) << place << Log();
    Stop();
  }
}

TEST_F(CliServe, RefusesArchivesThatAreNoImageOfSlipway) {
  ASSERT_NO_FATAL_FAILURE(BuildDigits());
  Run({"image", "save", "digits:1", "layout", "-f", "oci-dir"});
  Run({"image", "save", "digits:1", "docker.tar", "-f", "docker-archive"});
  const auto fails = [this](const std::string& place, int status, const std::string& cause) {
    const auto outcome = testing::RunCli({"slipway", "serve", place, "--port", port_}, around_);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->status, status) << place << outcome->err;
    EXPECT_NE(outcome->err.find("cause: " + cause), std::string::npos) << place << outcome->err;
  };
  fails("docker.tar", 2, "Image.Archive");
  for (const auto& entry : fs::directory_iterator(around_.folder / "layout/blobs/sha256")) {
    if (fs::file_size(entry.path()) < 100'000) continue;
    fs::permissions(entry.path(), fs::perms(0644));
    std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary).seekp(99) << "X";
  }
  fails("layout", 2, "Image.Archive");
  fs::create_directories(around_.folder / "empty");
  std::ofstream(around_.folder / "empty/index.json") << "{";
  fails("empty", 2, "Image.Archive");
  fails("digits:9", 3, "Image.NotFound");
}

}  // namespace
}  // namespace slipway::cli
