// SPDX-License-Identifier: Apache-2.0
// slipway-serve with a script, as a program: exit statuses, log lines, signals, an image without
// a chroot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/file.h"
#include "base/http/client.h"
#include "base/process.h"
#include "base/process_stat.h"
#include "base/text.h"
#include "tests/server/script_fixture.h"
#include "tests/support/json.h"
#include "tests/support/pattern.h"
#include "tests/support/tempdir.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr const char* kNoId = "00000000-0000-0000-0000-000000000000,";

class ScriptProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (HostPython().empty()) GTEST_SKIP() << "no python3 (apt-get install python3)";
  }
  void TearDown() override {
    if (id_.pid == 0) return;
    EXPECT_TRUE(Terminate(id_, milliseconds(20'000)));
  }
  void Run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), std::string(SLIPWAY_BINARY_DIR) + "/bin/slipway-serve");
    arguments.insert(arguments.end(), {"--listen", "127.0.0.1:0"});
    environment.emplace_back("PATH=/usr/bin:/bin");
    auto id = Spawn({.argv = std::move(arguments),
                     .environment = std::move(environment),
                     .log = folder_ / "log"});
    ASSERT_TRUE(id) << id.error().message;
    id_ = *id;
  }
  void RunScript(const fs::path& script, std::vector<std::string> environment = {}) {
    Run({"--script", script.string(), "--python", HostPython().string()}, std::move(environment));
  }
  int Ends() {
    const int status = WaitForExit(id_, std::chrono::seconds(60)).value_or(-99);
    id_ = {};
    return status;
  }
  std::string Log() {
    return ReadFile(folder_ / "log", 16 << 20).has_value() ? *ReadFile(folder_ / "log", 16 << 20)
                                                           : "";
  }
  std::string Address() {
    for (int i = 0; i < 6000 && IsRunning(id_); ++i) {
      const std::string log = Log();
      const std::size_t at = log.find("listen=");
      if (at != std::string::npos) return log.substr(at + 7, log.find(' ', at) - at - 7);
      std::this_thread::sleep_for(milliseconds(10));
    }
    return {};
  }
  http::Response Post(const std::string& address, std::string body, http::Headers headers = {}) {
    http::Request request{
        .method = "POST", .target = "http://" + address + "/score", .headers = std::move(headers)};
    request.body = std::move(body);
    auto response = http::MakeClient({.retries = 0})->Send(request);
    return response ? *response : http::Response{.status = 0, .body = response.error().message};
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeFolders((folder_ / name).parent_path()));
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text));
  }
  testing::TempDir folder_;
  ProcessId id_;
};

TEST_F(ScriptProgramTest, AScriptThatCannotServeEndsWithThree) {
  Write("model/a.onnx", "x");
  Write("model/deep/b.txt", "y");
  const std::pair<const char*, const char*> kCases[] = {
      {"no_run", "cause=Script.NoRun"},
      {"no_init", "cause=Script.NoInit"},
      {"init_raises", "init() raised RuntimeError: no model"},
      {"init_exits", "init() raised SystemExit: 0"},
      {"init_dies", "exit status 0"},
      {"no_module", "add what holds module 'no_such_module'"},
      {"syntax", "syntax.py line 2"},
      {"star", "run() cannot accept positional-only arguments, *args, or **kwargs"},
      {"kwargs", "cause=Script.BadSignature"},
      {"positional_only", "cause=Script.BadSignature"},
      {"no_argument", "run() needs to accept an argument"},
      {"headers_only", "besides request_headers"},
      {"two_arguments", "needs a value for b"},
      {"latin1", "cause=Script.SyntaxError"},
  };
  for (const auto& [name, text] : kCases) {
    fs::remove(folder_ / "log");
    RunScript(ScriptFile(std::string("bad/") + name + ".py"),
              {"AZUREML_MODEL_DIR=" + (folder_ / "model").string()});
    EXPECT_EQ(Ends(), 3) << name;
    const std::string log = Log();
    EXPECT_THAT(log, HasSubstr(text)) << name;
    if (std::string_view(name) == "init_dies") continue;
    EXPECT_THAT(log, HasSubstr(std::string(kNoId) + "model/\n")) << name;
    EXPECT_THAT(log, HasSubstr(std::string(kNoId) + "        b.txt\n")) << name;
  }
  RunScript(folder_ / "none.py");
  EXPECT_EQ(Ends(), 3);
  EXPECT_THAT(Log(), HasSubstr("cause=Script.NotFound"));
}

TEST_F(ScriptProgramTest, InitThatFailsShowsItsTracebackAndAtMost200Lines) {
  for (int i = 0; i < 300; ++i) Write("model/" + std::to_string(i) + ".bin", "x");
  RunScript(ScriptFile("bad/init_raises.py"),
            {"AZUREML_MODEL_DIR=" + (folder_ / "model").string()});
  EXPECT_EQ(Ends(), 3);
  const std::string log = Log();
  EXPECT_THAT(log, HasSubstr(std::string(kNoId) + "Traceback (most recent call last):\n"));
  EXPECT_THAT(log, HasSubstr("bad/init_raises.py\", line 3, in init\n"));
  EXPECT_THAT(log, ::testing::Not(HasSubstr("slipway_worker")));
  const auto lines = Split(log, '\n');
  const auto listed = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.ends_with(".bin") && line.starts_with(kNoId);
  });
  EXPECT_EQ(listed, 198);
}

TEST_F(ScriptProgramTest, InitThatHangsEndsWithThreeAtTheTimeout) {
  RunScript(ScriptFile("bad/init_hangs.py"), {"WORKER_TIMEOUT=1"});
  EXPECT_EQ(Ends(), 3);
  EXPECT_THAT(Log(), HasSubstr("cause=Script.InitTimeout"));
}

TEST_F(ScriptProgramTest, SigtermDuringInitStopsAtOnce) {
  RunScript(ScriptFile("bad/init_hangs.py"));
  std::this_thread::sleep_for(milliseconds(500));
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(::kill(id_.pid, SIGTERM), 0);
  EXPECT_EQ(Ends(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST_F(ScriptProgramTest, LinesBeginWithTheRequestsId) {
  Write("talk.py", R"(
import os
import subprocess
import sys


def init():
    print("from init")


def run(data):
    print("out " + data)
    print("first\nsecond", file=sys.stderr)
    os.write(1, b"no line end")
    subprocess.run(["echo", "from a child"])
    return data
)");
  RunScript(folder_ / "talk.py");
  const std::string address = Address();
  EXPECT_EQ(Post(address, "1", {{"x-request-id", "my-id"}}).status, 200) << Log();
  EXPECT_EQ(Post(address, "2", {{"x-request-id", "other"}}).status, 200);
  const std::string log = Log();
  EXPECT_THAT(log, HasSubstr(std::string(kNoId) + "from init\n"));
  for (const char* line : {"my-id,out 1\n", "my-id,first\n", "my-id,second\n", "other,out 2\n",
                           "my-id,no line endfrom a child\n"}) {
    EXPECT_THAT(log, HasSubstr(line));
  }
}

TEST_F(ScriptProgramTest, FloodsAreCutInTheLog) {
  RunScript(ScriptFile("faults.py"));
  const std::string address = Address();
  EXPECT_EQ(Post(address, R"({"do": "flood", "s": 2})").body, "\"flooded\"");
  EXPECT_EQ(Post(address, R"({"do": "flood", "s": 0})").status, 200);
  EXPECT_LT(fs::file_size(folder_ / "log"), 12U << 20);
}

TEST_F(ScriptProgramTest, WorkersDoNotOutliveTheServer) {
  RunScript(ScriptFile("faults.py"), {"WORKER_COUNT=2"});
  const std::string address = Address();
  const int pid = std::atoi(Post(address, "{}").body.c_str());
  ASSERT_GT(pid, 0);
  std::thread hanging([&] { Post(address, R"({"do": "hang"})"); });
  std::this_thread::sleep_for(milliseconds(300));
  ASSERT_EQ(::kill(id_.pid, SIGKILL), 0);
  hanging.join();
  EXPECT_EQ(Ends(), 128 + SIGKILL);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    const auto stat = ReadProcessStat(pid);
    gone = !stat || stat->state == 'Z' || stat->state == 'X';
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(gone);
}

TEST_F(ScriptProgramTest, TheEnvironmentNamesTheScript) {
  Write("app/main.py", "def init(): pass\n\n\ndef run(data): return 'main'\n");
  Write("app/src/score.py", "def init(): pass\n\n\ndef run(data): return 'score'\n");
  Write("config.json", R"({"AZUREML_ENTRY_SCRIPT": "main.py", "SCORING_TIMEOUT_MS": 5000})");
  const std::string app = "AML_APP_ROOT=" + (folder_ / "app").string();
  const std::pair<std::vector<std::string>, const char*> kCases[] = {
      {{app, "AZUREML_ENTRY_SCRIPT=score.py", "AZUREML_SOURCE_DIRECTORY=src"}, "\"score\""},
      {{app, "AML_ENTRY_SCRIPT=src/score.py"}, "\"score\""},
      {{app, "AZUREML_ENTRY_SCRIPT=main.py", "AML_ENTRY_SCRIPT=src/score.py"}, "\"main\""},
      {{app, "AZUREML_CONFIG_FILE=" + (folder_ / "config.json").string()}, "\"main\""},
      {{app, "AZUREML_CONFIG_FILE=" + (folder_ / "config.json").string(),
        "AZUREML_ENTRY_SCRIPT=src/score.py"},
       "\"score\""},
  };
  for (const auto& [environment, wanted] : kCases) {
    fs::remove(folder_ / "log");
    Run({}, environment);
    EXPECT_EQ(Post(Address(), "x").body, wanted) << Log();
    EXPECT_TRUE(Terminate(id_, milliseconds(20'000)));
    id_ = {};
  }
}

TEST_F(ScriptProgramTest, WithoutAScriptTheModuleMainIsTaken) {
  Write("app/main.py", "def init(): pass\n\n\ndef run(data): return 'main'\n");
  Write("app/serve.json", R"({"script": {"entry": "none.py", "python": ")" + HostPython().string() +
                              R"(", "python_path": [")" + WorkerModules().string() + R"("]}})");
  Run({"--config", (folder_ / "app/serve.json").string()});
  EXPECT_EQ(Ends(), 3);
  EXPECT_THAT(Log(), HasSubstr("cause=Script.NotFound"));
  fs::remove(folder_ / "log");
  Run({"--config", (folder_ / "app/serve.json").string()}, {"AZUREML_ENTRY_SCRIPT=main.py"});
  EXPECT_EQ(Post(Address(), "x").body, "\"main\"") << Log();
}

TEST_F(ScriptProgramTest, WrongVariablesAreNamed) {
  for (const char* variable :
       {"WORKER_COUNT=0", "WORKER_COUNT=many", "WORKER_TIMEOUT=-1", "WORKER_PRELOAD=perhaps",
        "SCORING_TIMEOUT_MS=1.5", "SLIPWAY_AUTH_KEYS=,", "AZUREML_CONFIG_FILE=/nowhere.json"}) {
    fs::remove(folder_ / "log");
    RunScript(ScriptFile("answers.py"), {variable});
    EXPECT_EQ(Ends(), 3) << variable;
    EXPECT_THAT(Log(), HasSubstr(Split(variable, '=')[0])) << variable;
  }
}

/// Lines of what a command prints.
std::vector<std::string> Output(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  char room[4096];
  for (std::size_t got; (got = std::fread(room, 1, sizeof room, pipe)) > 0;) text.append(room, got);
  ::pclose(pipe);
  return Split(text, '\n');
}

TEST_F(ScriptProgramTest, AnImagesPythonRunsWithoutAChroot) {
  if (!fs::exists("/lib64/ld-linux-x86-64.so.2")) GTEST_SKIP() << "no x86-64 loader";
  const fs::path root = folder_ / "root";
  const fs::path real = fs::canonical(HostPython());
  if (real.parent_path() != "/usr/bin") GTEST_SKIP() << "python3 is not Debian's";
  const fs::path library = "/usr/lib/" + real.filename().string();
  for (const char* folder : {"usr/bin", "usr/lib", "lib64", "libs", "app", "opt/slipway/python"}) {
    fs::create_directories(root / folder);
  }
  fs::copy_file(real, root / "usr/bin" / real.filename());
  fs::create_symlink("/usr/bin/" + real.filename().string(), root / "usr/bin/python3");
  fs::create_symlink("usr/bin", root / "bin");
  fs::copy(library, root / library.relative_path(),
           fs::copy_options::recursive | fs::copy_options::skip_symlinks);
  fs::copy_file("/lib64/ld-linux-x86-64.so.2", root / "libs/ld.so");
  fs::create_symlink("/libs/ld.so", root / "lib64/ld-linux-x86-64.so.2");
  const testing::Pattern found(R"(=> (/\S+))");
  for (const std::string& line : Output("ldd " + real.string())) {
    const std::vector<std::string> match = found.Find(line);
    if (match.empty()) continue;
    fs::copy_file(match[1], root / "libs" / fs::path(match[1]).filename());
  }
  fs::copy(WorkerModules(), root / "opt/slipway/python/worker", fs::copy_options::recursive);
  Write("root/app/score.py",
        "import sys, os\n\n\ndef init(): pass\n\n\ndef run(data):\n"
        "    return [sys.prefix, os.__file__, sys.executable, os.environ['AZUREML_MODEL_DIR']]\n");
  Write("root/app/serve.json", R"({
    "models": [{"name": "m", "version": "2", "path": "/app/azureml-models/m/2/m.onnx"}],
    "script": {"entry": "/app/score.py", "python": "/bin/python3",
               "python_path": ["/opt/slipway/python/worker"], "library_path": ["/libs"]}})");
  Run({"--config", "/app/serve.json", "--root", root.string()});
  const auto response = Post(Address(), "x");
  ASSERT_EQ(response.status, 200) << response.body << Log();
  const Json told = testing::ParsedJson(response.body);
  EXPECT_EQ(told[0], (root / "usr").string());
  EXPECT_THAT(told[1].get<std::string>(), ::testing::StartsWith(root.string()));
  EXPECT_THAT(told[2].get<std::string>(), ::testing::StartsWith(root.string()));
  EXPECT_EQ(told[3], (root / "app/azureml-models/m/2").string());
}

}  // namespace
}  // namespace slipway::server
