// SPDX-License-Identifier: Apache-2.0
// The parts of the script host, each alone: frames, output, settings, launch, keys.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/limits.h"
#include "runtime/server/auth.h"
#include "runtime/server/script/launch.h"
#include "runtime/server/script/output.h"
#include "runtime/server/script/settings.h"
#include "runtime/server/script/wire.h"
#include "tests/support/tempdir.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

using Values = std::map<std::string, std::string>;

/// An environment of these variables alone.
GetVariable Variables(const Values& values) {
  return [values](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

TEST(ScriptWire, FramesAreReadAsTheyWereWritten) {
  const std::string frame = EncodeFrame(FrameKind::kReply, "head", 7);
  const auto sizes = DecodeFrame(frame);
  ASSERT_TRUE(sizes);
  EXPECT_EQ(sizes->kind, FrameKind::kReply);
  EXPECT_EQ(sizes->head, 4);
  EXPECT_EQ(sizes->body, 7);
  EXPECT_EQ(frame.substr(kFrameBytes), "head");
}

TEST(ScriptWire, DamagedFramesAreRefused) {
  const std::string good = EncodeFrame(FrameKind::kReply, "", 0);
  for (std::size_t size = 0; size < kFrameBytes; ++size) {
    EXPECT_FALSE(DecodeFrame(std::string_view(good).substr(0, size)));
  }
  EXPECT_FALSE(DecodeFrame(std::string(kFrameBytes, '\0')));
  EXPECT_FALSE(DecodeFrame(std::string(kFrameBytes, '\xff')));
  EXPECT_FALSE(DecodeFrame(EncodeFrame(FrameKind::kReply, "", limits::kScriptReplyBytes + 1)));
  EXPECT_FALSE(DecodeFrame(EncodeFrame(FrameKind::kReply, "", -1)));
}

/// A reply's head: status, failed, run time, texts.
std::string Head(std::uint16_t status, const std::string& texts) {
  std::string head(12, '\0');
  head[0] = static_cast<char>(status & 0xFF);
  head[1] = static_cast<char>(status >> 8);
  return head + texts;
}

TEST(ScriptWire, RepliesAreChecked) {
  const std::string field("\1\0\0\0a\1\0\0\0b", 10);
  const auto reply = DecodeReplyHead(Head(201, field));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 201);
  EXPECT_EQ(reply->headers.at(0), std::pair(std::string("a"), std::string("b")));
  EXPECT_EQ(reply->run_ms, 0.0);
  EXPECT_FALSE(DecodeReplyHead(Head(99, field)));
  EXPECT_FALSE(DecodeReplyHead(Head(600, field)));
  EXPECT_FALSE(DecodeReplyHead(Head(200, field.substr(0, 5))));
  EXPECT_FALSE(DecodeReplyHead(Head(200, field.substr(0, 8))));
  EXPECT_FALSE(DecodeReplyHead(Head(200, std::string("\xff\xff\xff\xff", 4))));
  EXPECT_FALSE(DecodeReplyHead("short"));
}

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() {
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    EXPECT_EQ(::pipe2(out, O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(err, O_NONBLOCK | O_CLOEXEC), 0);
    out_ = UniqueFd(out[1]);
    err_ = UniqueFd(err[1]);
    relay_ = std::make_unique<OutputRelay>(
        UniqueFd(out[0]), UniqueFd(err[0]),
        [this](bool is_error, std::string_view lines) { (is_error ? errors_ : lines_) += lines; });
  }
  void Write(const std::string& text) {
    ASSERT_EQ(::write(out_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  UniqueFd out_, err_;
  std::string lines_, errors_;
  std::unique_ptr<OutputRelay> relay_;
};

const std::string kNone = std::string(kNoRequestId) + ",";

TEST_F(OutputTest, LinesBelongToTheRequestThatRan) {
  Write("before\nhalf");
  relay_->Pump();
  EXPECT_EQ(lines_, kNone + "before\n");
  Write(" whole\n");
  relay_->EndRequest();
  relay_->BeginRequest("id");
  Write("during\r\n\nopen");
  relay_->EndRequest();
  Write("after\n");
  ASSERT_EQ(::write(err_.get(), "wrong\n", 6), 6);
  relay_->Pump();
  EXPECT_EQ(lines_, kNone + "before\n" + kNone + "half whole\nid,during\nid,\nid,open\n" + kNone +
                        "after\n");
  EXPECT_EQ(errors_, kNone + "wrong\n");
}

TEST_F(OutputTest, LongLinesAreCutInPieces) {
  Write(std::string(40'000, 'x') + "\n");
  relay_->Pump();
  EXPECT_EQ(std::count(lines_.begin(), lines_.end(), '\n'), 3);
  EXPECT_EQ(std::count(lines_.begin(), lines_.end(), 'x'), 40'000);
}

TEST_F(OutputTest, WhatComesTooFastIsCounted) {
  const std::string line(999, 'y');
  for (int i = 0; i < 400; ++i) {
    for (int j = 0; j < 50; ++j) Write(line + "\n");
    relay_->Pump();
  }
  EXPECT_LT(lines_.size(), 8U << 20);
  ::usleep(1'200'000);
  Write("end\n");
  relay_->Pump();
  EXPECT_THAT(lines_.substr(lines_.size() - 200), HasSubstr("lines left out"));
  EXPECT_TRUE(lines_.ends_with(kNone + "end\n"));
}

TEST_F(OutputTest, TheEndIsSeen) {
  EXPECT_GE(relay_->out_fd(), 0);
  Write("last");
  out_ = UniqueFd();
  relay_->Pump();
  relay_->Pump();
  EXPECT_EQ(lines_, kNone + "last\n");
  EXPECT_EQ(relay_->out_fd(), -1);
  EXPECT_GE(relay_->err_fd(), 0);
}

TEST(ScriptSettingsTest, DefaultsAreThoseOfTheContract) {
  const auto settings = ReadScriptSettings(Variables(Values()), 1000);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->workers, 1);
  EXPECT_EQ(settings->scoring_timeout, milliseconds(3'600'000));
  EXPECT_EQ(settings->worker_timeout, milliseconds(300'000));
  EXPECT_FALSE(settings->preload);
  EXPECT_FALSE(settings->queue_wait);
  EXPECT_EQ(settings->memory_bytes, 900);
}

TEST(ScriptSettingsTest, VariablesAreReadAndChecked) {
  const auto settings = ReadScriptSettings(Variables(Values{{"WORKER_COUNT", "4"},
                                                            {"SCORING_TIMEOUT_MS", "250"},
                                                            {"WORKER_TIMEOUT", "0"},
                                                            {"WORKER_PRELOAD", "True"},
                                                            {"SLIPWAY_MAX_QUEUE", "0"},
                                                            {"SLIPWAY_MAX_QUEUE_WAIT_MS", "500"},
                                                            {"SLIPWAY_WORKER_MEMORY_MB", "2"}}),
                                           1000);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->workers, 4);
  EXPECT_EQ(settings->scoring_timeout, milliseconds(250));
  EXPECT_GT(settings->worker_timeout, std::chrono::hours(24));
  EXPECT_TRUE(settings->preload);
  EXPECT_EQ(settings->waiting_max, 0);
  EXPECT_EQ(settings->queue_wait, milliseconds(500));
  EXPECT_EQ(settings->memory_bytes, 2 << 20);
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"WORKER_COUNT", "257"}, {"SCORING_TIMEOUT_MS", "-1"}, {"WORKER_PRELOAD", "2"}}) {
    const auto refused = ReadScriptSettings(Variables(Values{{name, value}}), 0);
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(refused.error().message, HasSubstr(name));
  }
}

TEST(ScriptSettingsTest, AConfigFileHoldsVariables) {
  testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "a.json", R"({"A": "b", "N": 3, "T": true, "E": null})"));
  const auto variables = ReadConfigFile(folder / "a.json");
  ASSERT_TRUE(variables);
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"A", "b"}, {"N", "3"}, {"T", "true"}};
  EXPECT_EQ(*variables, wanted);
  for (const char* text : {"[1]", "{", R"({"A": []})", R"({"A=B": 1})", R"({"": 1})"}) {
    ASSERT_TRUE(WriteFileAtomic(folder / "a.json", text));
    EXPECT_FALSE(ReadConfigFile(folder / "a.json")) << text;
  }
}

TEST(ScriptSettingsTest, TheModelFolderIsThatOfTheModels) {
  const ModelConfig one{.name = "m", .path = "/app/azureml-models/m/3/deep/m.onnx"};
  const ModelConfig two{.name = "n", .path = "/app/azureml-models/n/1/n.bin"};
  EXPECT_EQ(ModelFolder({}), "");
  EXPECT_EQ(ModelFolder({one}), "/app/azureml-models/m/3");
  EXPECT_EQ(ModelFolder({one, two}), "/app/azureml-models");
  EXPECT_EQ(ModelFolder({{.name = "x", .path = "/elsewhere/x.onnx"}}), "/elsewhere");
}

TEST(ScriptConfigTest, ServeJsonMayNameAScript) {
  testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "serve.json", R"({"script": {
      "entry": "/app/score.py", "source_directory": "/app", "python": "/usr/bin/python3.11",
      "python_path": ["/opt/a", "b"], "library_path": ["/lib/x"], "loader": "/lib/ld.so"}})"));
  const auto config = ReadConfig(folder / "serve.json", folder.path());
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_TRUE(config->script);
  EXPECT_EQ(config->script->entry, folder / "app/score.py");
  EXPECT_EQ(config->script->source_directory, folder / "app");
  EXPECT_EQ(config->script->python, "/usr/bin/python3.11");
  EXPECT_EQ(config->script->python_path, (std::vector<fs::path>{folder / "opt/a", folder / "b"}));
  EXPECT_EQ(config->script->loader, "/lib/ld.so");
  for (const char* text : {R"({"script": {}})", R"({"script": {"entry": ""}})", R"({"script": 1})",
                           R"({"script": {"entry": "a", "python_path": "b"}})",
                           R"({"script": {"entry": "a", "pythn": "b"}})",
                           R"({"script": {"entry": "a"}, "models": 1})"}) {
    ASSERT_TRUE(WriteFileAtomic(folder / "serve.json", text));
    EXPECT_FALSE(ReadConfig(folder / "serve.json", {})) << text;
  }
}

TEST(ScriptLaunchTest, LinksStayInTheRoot) {
  testing::TempDir folder;
  const fs::path root = folder / "root";
  fs::create_directories(root / "usr/bin");
  ASSERT_TRUE(WriteFileAtomic(root / "usr/bin/python3.11", "x"));
  fs::create_symlink("/usr/bin/python3.11", root / "usr/bin/python3");
  fs::create_symlink("usr/bin", root / "bin");
  fs::create_symlink("../../../../../usr/bin/python3", root / "usr/bin/up");
  fs::create_symlink("loop", root / "loop");
  fs::create_symlink("/etc/passwd", root / "out");
  for (const char* path : {"/usr/bin/python3", "/bin/python3", "/usr/bin/up", "/bin/../bin/up"}) {
    const auto found = ResolveInRoot(root, path);
    ASSERT_TRUE(found) << path;
    EXPECT_EQ(*found, root / "usr/bin/python3.11") << path;
  }
  for (const char* path : {"/loop", "/out", "/none", "/usr/none/x"}) {
    EXPECT_FALSE(ResolveInRoot(root, path)) << path;
  }
}

TEST(ScriptLaunchTest, SecretsAreWithheldAndPathsSet) {
  testing::TempDir folder;
  fs::create_directories(folder / "w/slipway_worker");
  for (const char* name : {"w/slipway_worker/__main__.py", "score.py", "python"}) {
    ASSERT_TRUE(WriteFileAtomic(folder / name, "x"));
  }
  ScriptConfig config{.entry = folder / "score.py",
                      .source_directory = folder.path(),
                      .app_root = folder.path(),
                      .python = folder / "python",
                      .python_path = {folder / "w", "/more"}};
  const WorkerSurroundings around{
      .environment = {"A=b", "PYTHONPATH=/own", "SLIPWAY_AUTH_KEYS=k", "SLIPWAY_AUTH_KEYS_FILE=f"}};
  const auto launch = PlanWorker(config, around);
  ASSERT_TRUE(launch) << launch.error().message;
  EXPECT_EQ(launch->argv.at(0), (folder / "python").string());
  EXPECT_THAT(launch->environment, ::testing::Contains("A=b"));
  EXPECT_THAT(launch->environment,
              ::testing::Contains("PYTHONPATH=" + (folder / "w").string() + ":/more:/own"));
  EXPECT_THAT(launch->environment, ::testing::Not(::testing::Contains(HasSubstr("AUTH_KEYS"))));
  config.python_path = {"/nowhere"};
  const auto missing = PlanWorker(config, around);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().id, "Script.WorkerMissing");
}

TEST(ServiceKeysTest, TheFileIsReadAgainWhenItChanges) {
  testing::TempDir folder;
  const std::string file = (folder / "keys").string();
  const GetVariable variables =
      Variables(Values{{"SLIPWAY_AUTH_KEYS_FILE", file}, {"SLIPWAY_AUTH_KEYS", "ignored"}});
  EXPECT_FALSE(ServiceKeys::Read(variables));
  ASSERT_TRUE(WriteFileAtomic(file, "\n \n"));
  EXPECT_FALSE(ServiceKeys::Read(variables));
  ASSERT_TRUE(WriteFileAtomic(file, "one\r\n two \n"));
  auto keys = ServiceKeys::Read(variables);
  ASSERT_TRUE(keys);
  EXPECT_TRUE((*keys)->Allow("Bearer one"));
  EXPECT_TRUE((*keys)->Allow("Bearer two"));
  EXPECT_FALSE((*keys)->Allow("Bearer ignored"));
  EXPECT_FALSE((*keys)->Allow(""));
  ASSERT_TRUE(WriteFileAtomic(file, "three\n"));
  EXPECT_FALSE((*keys)->Allow("Bearer one"));
  EXPECT_TRUE((*keys)->Allow("Bearer three"));
  ASSERT_TRUE(WriteFileAtomic(file, ""));
  EXPECT_TRUE((*keys)->Allow("Bearer three"));
  fs::remove(file);
  EXPECT_TRUE((*keys)->Allow("Bearer three"));
}

TEST(ServiceKeysTest, WithoutKeysNoneIsAskedFor) {
  const auto keys = ServiceKeys::Read(Variables(Values()));
  ASSERT_TRUE(keys);
  EXPECT_TRUE((*keys)->Allow(""));
  EXPECT_FALSE((*keys)->required());
}

}  // namespace
}  // namespace slipway::server
