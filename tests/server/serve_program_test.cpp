// SPDX-License-Identifier: Apache-2.0
// slipway-serve as a program: its exit statuses, messages, sockets.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/http/client.h"
#include "base/http/server.h"
#include "base/process.h"
#include "runtime/runtime.h"
#include "tests/support/tempdir.h"
#include "tests/support/tiny_onnx.h"

namespace slipway::server {
namespace {

using std::chrono::milliseconds;

const std::filesystem::path kProgram =
    std::filesystem::path(SLIPWAY_BINARY_DIR) / "bin/slipway-serve";

class ServeProgramTest : public ::testing::Test {
 protected:
  ServeProgramTest() { Write("tiny.onnx", testing::MakeTinyOnnx()); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(MakeFolders((folder_ / name).parent_path()));
    EXPECT_TRUE(WriteFileAtomic(folder_ / name, text));
  }
  ProcessId Run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), kProgram.string());
    auto id = Spawn({.argv = std::move(arguments),
                     .environment = std::move(environment),
                     .log = folder_ / "log"});
    EXPECT_TRUE(id) << id.error().message;
    return id ? *id : ProcessId{};
  }
  int Ends(const ProcessId& id) { return WaitForExit(id, std::chrono::seconds(60)).value_or(-99); }
  std::string Log() {
    return ReadFile(folder_ / "log", 1 << 20).has_value() ? *ReadFile(folder_ / "log", 1 << 20)
                                                          : "";
  }
  /// The address in the line that says it serves; empty if there is none in a minute.
  std::string Address() {
    for (int i = 0; i < 6000; ++i) {
      const std::string log = Log();
      const std::size_t at = log.find("listen=");
      if (at != std::string::npos) return log.substr(at + 7, log.find(' ', at) - at - 7);
      std::this_thread::sleep_for(milliseconds(10));
    }
    return {};
  }
  static std::string Score(const std::string& address) {
    http::Request request{.method = "POST", .target = "http://" + address + "/score"};
    request.body = R"({"data": [[1, 2]]})";
    auto response = http::MakeClient({})->Send(request);
    return response ? response->body : response.error().message;
  }
  testing::TempDir folder_;
};

TEST_F(ServeProgramTest, ServesAFileAndStopsOnSigterm) {
  const ProcessId id = Run({(folder_ / "tiny.onnx").string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(Score(Address()), R"({"output":[[2.0,4.0]]})");
  ASSERT_EQ(::kill(id.pid, SIGTERM), 0);
  EXPECT_EQ(Ends(id), 0);
  EXPECT_NE(Log().find("stopped"), std::string::npos);
}

TEST_F(ServeProgramTest, ServesAnUnpackedImage) {
  Write("root/var/azureml-app/azureml-models/digits/2/m.onnx", testing::MakeTinyOnnx());
  Write("root/var/azureml-app/serve.json",
        R"({"models": [{"name": "digits", "version": "2",
                        "path": "/var/azureml-app/azureml-models/digits/2/m.onnx"}]})");
  const ProcessId id = Run({"--config", "/var/azureml-app/serve.json", "--root",
                            (folder_ / "root").string(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(Score(Address()), R"({"output":[[2.0,4.0]]})") << Log();
  EXPECT_TRUE(Terminate(id, milliseconds(20'000)));
}

TEST_F(ServeProgramTest, ServesTheModelFolderOfTheEnvironment) {
  Write("azureml-models/digits/2/m.onnx", testing::MakeTinyOnnx());
  const ProcessId id = Run({"--listen", "127.0.0.1:0"},
                           {"AZUREML_MODEL_DIR=" + (folder_ / "azureml-models/digits/2").string()});
  EXPECT_EQ(Score(Address()), R"({"output":[[2.0,4.0]]})") << Log();
  EXPECT_TRUE(Terminate(id, milliseconds(20'000)));
}

TEST_F(ServeProgramTest, AModelThatCannotBeLoadedEndsWithThree) {
  Write("bad.onnx", "no model");
  EXPECT_EQ(Ends(Run({(folder_ / "bad.onnx").string(), "--listen", "127.0.0.1:0"})), 3);
  const std::string log = Log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_NE(log.find("bad.onnx"), std::string::npos) << log;
  EXPECT_EQ(Ends(Run({(folder_ / "none.onnx").string()})), 3);
}

TEST_F(ServeProgramTest, AModelThatWantsMoreMemoryThanItMayHaveEndsWithThree) {
  const std::string digits = std::string(SLIPWAY_SOURCE_DIR) + "/templates/digits/digits.onnx";
  Write("serve.json",
        R"({"models": [{"name": "digits", "path": ")" + digits + R"("}], "memory_limit": "4K"})");
  const std::string config = (folder_ / "serve.json").string();
  EXPECT_EQ(Ends(Run({"--config", config, "--listen", "127.0.0.1:0"})), 3);
  EXPECT_NE(Log().find("cause=Run.MemoryLimit"), std::string::npos) << Log();
  EXPECT_EQ(Ends(Run({digits, "--memory-limit", "4K", "--listen", "127.0.0.1:0"})), 3);
  // What is said later counts: the environment before the file, an option before that.
  const ProcessId id =
      Run({"--config", config, "--listen", "127.0.0.1:0"}, {"SLIPWAY_MODEL_MEMORY_MB=64"});
  EXPECT_NE(Address(), "") << Log();
  EXPECT_TRUE(Terminate(id, milliseconds(20'000)));
  EXPECT_EQ(Ends(Run({"--config", config, "--memory-limit", "4K", "--listen", "127.0.0.1:0"},
                     {"SLIPWAY_MODEL_MEMORY_MB=64"})),
            3);
}

TEST_F(ServeProgramTest, BoundsOfModelsAreRefusedWithAScript) {
  Write("score.py", "def init():\n  pass\ndef run(data):\n  return data\n");
  const std::string script = (folder_ / "score.py").string();
  EXPECT_EQ(Ends(Run({"--script", script, "--memory-limit", "1G"})), 2);
  EXPECT_NE(Log().find("SLIPWAY_WORKER_MEMORY_MB"), std::string::npos) << Log();
  EXPECT_EQ(Ends(Run({(folder_ / "tiny.onnx").string(), "--memory-limit", "much"})), 2);
}

TEST_F(ServeProgramTest, PrecisionIsOfTheOptionTheEnvironmentOrTheFile) {
  const std::string model = (folder_ / "tiny.onnx").string();
  EXPECT_EQ(Ends(Run({model, "--precision", "fp16"})), 2);
  EXPECT_NE(Log().find("--precision: precision 'fp16' is none of fp32, bf16, int8"),
            std::string::npos)
      << Log();
  EXPECT_EQ(Ends(Run({model}, {"SLIPWAY_PRECISION=fp16"})), 3);
  EXPECT_NE(Log().find("SLIPWAY_PRECISION: precision 'fp16'"), std::string::npos) << Log();
  Write("score.py", "def init():\n  pass\ndef run(data):\n  return data\n");
  const std::string script = (folder_ / "score.py").string();
  EXPECT_EQ(Ends(Run({"--script", script, "--precision", "int8"})), 2);
  const ProcessId id =
      Run({model, "--precision", "int8", "--listen", "127.0.0.1:0"}, {"SLIPWAY_PRECISION=bf16"});
  EXPECT_EQ(Score(Address()), R"({"output":[[2.0,4.0]]})") << Log();
  const bool says = Log().find("precision int8: this processor has no") != std::string::npos;
  EXPECT_EQ(says, !runtime::HasPrecision(runtime::Precision::kInt8)) << Log();
  EXPECT_TRUE(Terminate(id, milliseconds(20'000)));
}

TEST_F(ServeProgramTest, ChoicesOfKernelsLieBesideTheModel) {
  Write("tiny.choices.json", "{");
  const std::string model = (folder_ / "tiny.onnx").string();
  for (const bool ruled : {false, true}) {
    std::vector<std::string> environment;
    if (ruled) environment.emplace_back("SLIPWAY_DETERMINISTIC=1");
    const ProcessId id = Run({model, "--listen", "127.0.0.1:0"}, environment);
    EXPECT_EQ(Score(Address()), R"({"output":[[2.0,4.0]]})");
    ASSERT_EQ(::kill(id.pid, SIGTERM), 0);
    EXPECT_EQ(Ends(id), 0);
    EXPECT_EQ(Log().find("tiny.choices.json") == std::string::npos, ruled) << Log();
    std::filesystem::remove(folder_ / "log");
  }
  EXPECT_EQ(Ends(Run({model, "--deterministic", "--tune", "1"})), 2);
  EXPECT_EQ(Ends(Run({model}, {"SLIPWAY_DETERMINISTIC=perhaps"})), 3);
  EXPECT_NE(Log().find("SLIPWAY_DETERMINISTIC"), std::string::npos) << Log();
}

TEST_F(ServeProgramTest, ATakenPortEndsWithOne) {
  http::ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  auto other = http::Server::Start(options, [](http::Request&) { return http::Response{}; });
  ASSERT_TRUE(other);
  const std::string address = (*other)->addresses()[0];
  EXPECT_EQ(Ends(Run({(folder_ / "tiny.onnx").string(), "--listen", address})), 1);
  const std::string log = Log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_NE(log.find(address), std::string::npos) << log;
}

TEST_F(ServeProgramTest, WrongUseEndsWithTwo) {
  EXPECT_EQ(Ends(Run({})), 2);
  EXPECT_EQ(Ends(Run({"--none"})), 2);
  EXPECT_EQ(Ends(Run({(folder_ / "tiny.onnx").string(), "--port", "70000"})), 2);
  EXPECT_EQ(Ends(Run({"a.onnx", "--config", "b.json"})), 2);
}

TEST_F(ServeProgramTest, AnInheritedSocketMustListen) {
  EXPECT_EQ(Ends(Run({(folder_ / "tiny.onnx").string(), "--listen", "fd:77"})), 3);
  EXPECT_NE(Log().find("fd:77"), std::string::npos) << Log();
}

}  // namespace
}  // namespace slipway::server
