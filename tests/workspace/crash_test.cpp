// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "base/process.h"
#include "base/temporary_file.h"
#include "tests/workspace/daemon.h"

namespace slipway::workspace {
namespace {

using std::chrono::milliseconds;

/// Asks for models and images one after another until the daemon is gone.
void WorkUntilKilled(Daemon& daemon, int round) {
  for (int i = 0; i < 1000; ++i) {
    const std::string onnx =
        testing::MakeTinyOnnx({.graph_name = std::to_string(round) + "-" + std::to_string(i)});
    const std::string digest = Digest::OfText(onnx).text();
    const auto stored = daemon.Send("PUT", "/api/v1/workspaces/lab/blobs/" + digest, onnx);
    if (!stored) return;
    const Json model{{"name", "m"},
                     {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
    if (!daemon.Send("POST", "/api/v1/workspaces/lab/models", DumpJson(model))) return;
    const Json image{{"name", "i"}, {"models", Json::array({"m"})}};
    if (!daemon.Send("POST", "/api/v1/workspaces/lab/images", DumpJson(image))) return;
  }
}

/// One image to its end, so that later ones find the layers they share.
void BuildOne(Daemon& daemon) {
  const std::string onnx = testing::MakeTinyOnnx();
  const std::string digest = Digest::OfText(onnx).text();
  ASSERT_TRUE(daemon.Send("PUT", "/api/v1/workspaces/lab/blobs/" + digest, onnx));
  const Json model{{"name", "m"},
                   {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
  ASSERT_TRUE(daemon.Send("POST", "/api/v1/workspaces/lab/models", DumpJson(model)));
  const Json image{{"name", "i"}, {"models", Json::array({"m"})}};
  ASSERT_TRUE(daemon.Send("POST", "/api/v1/workspaces/lab/images", DumpJson(image)));
  constexpr int kTries = 6000;
  for (int i = 0; i < kTries; ++i) {
    const Json built = daemon.Get("/api/v1/workspaces/lab/images/i/versions/1");
    if (built["state"] == "Succeeded") return;
    ASSERT_EQ(built["state"], "Creating") << built["error"];
    std::this_thread::sleep_for(milliseconds(10));
  }
  FAIL() << "the first image was not built";
}

/// Digests that were read and verified since the last start.
using Checked = std::set<std::string>;

void CheckBlob(Daemon& daemon, const std::string& digest, const std::string& of, Checked& checked) {
  if (!checked.insert(digest).second) return;
  const auto blob = daemon.Send("GET", "/api/v1/workspaces/lab/blobs/" + digest);
  ASSERT_TRUE(blob);
  ASSERT_EQ(blob->status, 200) << of;
  EXPECT_EQ(Digest::OfText(blob->body).text(), digest) << of;
}

void CheckModels(Daemon& daemon, Checked& checked) {
  for (const Json& model : daemon.Items("/api/v1/workspaces/lab/models?limit=30")) {
    for (const Json& file : model["files"]) {
      CheckBlob(daemon, file["digest"], model["id"], checked);
    }
  }
}

void CheckImages(Daemon& daemon, Checked& checked) {
  for (const Json& image : daemon.Items("/api/v1/workspaces/lab/images?limit=30")) {
    const std::string id = image["id"];
    ASSERT_NE(image["state"], "Creating") << id;
    const Json operation =
        daemon.Get("/api/v1/operations/" + image["operation_id"].get<std::string>());
    EXPECT_EQ(operation["state"], image["state"]) << id;
    if (image["state"] == "Failed") {
      EXPECT_EQ(operation["error_code"], "Operation.Interrupted") << id << " " << image["error"];
      EXPECT_FALSE(operation["error_cause"].get<std::string>().empty()) << id;
      continue;
    }
    CheckBlob(daemon, image["digest"], id, checked);
    for (const Json& layer : image["layers"]) CheckBlob(daemon, layer["digest"], id, checked);
  }
}

/// Files that are neither a blob, nor the database's, nor what the folder is said to hold.
std::vector<std::string> Strangers(const std::filesystem::path& state) {
  const std::set<std::string> known = {"slipway.db",  "slipway.db-wal", "slipway.db-shm",
                                       "admin.token", "run/lock",       "run/endpoint.json"};
  std::vector<std::string> strangers;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(state).string();
    if (name.rfind("run/layers/", 0) == 0) continue;  // unpacked ahead of the first service
    const bool is_blob = name.rfind("blobs/sha256/", 0) == 0 &&
                         entry.path().parent_path().filename().string().size() == 2 &&
                         entry.path().filename().string().size() == 62;
    if (!is_blob && !known.contains(name)) strangers.push_back(name);
  }
  return strangers;
}

TEST(Crash, KilledAtAnyMomentItStartsAgainWithAllThatWasFinished) {
  if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
  constexpr int kRounds = 25;
  const testing::TempDir folder;
  Daemon daemon(folder / "state");
  ASSERT_TRUE(daemon.Start());
  ASSERT_TRUE(daemon.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
  ASSERT_NO_FATAL_FAILURE(BuildOne(daemon));
  std::mt19937 random(20260301);
  std::uniform_int_distribution<int> wait_ms(1, 400);
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    std::thread killer([&daemon, wait = wait_ms(random)] {
      std::this_thread::sleep_for(milliseconds(wait));
      daemon.Kill();
    });
    WorkUntilKilled(daemon, round);
    killer.join();
    ASSERT_TRUE(daemon.Start()) << "round " << round;
    EXPECT_EQ(Strangers(folder / "state"), std::vector<std::string>()) << "round " << round;
    Checked checked;
    CheckModels(daemon, checked);
    CheckImages(daemon, checked);
  }
  std::map<std::string, int> states;
  for (const Json& image : daemon.Items("/api/v1/workspaces/lab/images?limit=1000")) {
    ++states[image["state"]];
  }
  EXPECT_GT(states["Succeeded"], 1);
  EXPECT_GT(states["Failed"], 0) << "nothing was cut off";
  RecordProperty("images_finished", states["Succeeded"]);
  RecordProperty("images_cut_off", states["Failed"]);
}

std::vector<std::string> TemporariesIn(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(kTemporaryPrefix)) names.push_back(name);
  }
  return names;
}

/// Whether another program traces each thread of a process.
bool IsTraced(pid_t pid) {
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    const auto status = ReadFile(task.path() / "status", 1 << 16);
    if (!status || status->find("TracerPid:\t0\n") != std::string::npos) return false;
  }
  return !error;
}

/// Kills a process as it is about to rename a file.
class RenameKiller {
 public:
  explicit RenameKiller(pid_t pid) {
    const auto started =
        Spawn({.argv = {kStrace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat2",
                        "-e", "inject=rename,renameat2:signal=SIGKILL", "-p", std::to_string(pid)},
               .environment = {}});
    if (!started) return;
    tracer_ = *started;
    for (int i = 0; i < 1'000 && IsRunning(tracer_) && !ready_; ++i) {
      ready_ = IsTraced(pid);
      if (!ready_) std::this_thread::sleep_for(milliseconds(10));
    }
  }
  ~RenameKiller() {
    if (tracer_.pid != 0) static_cast<void>(Terminate(tracer_, milliseconds(10'000)).has_value());
  }
  RenameKiller(const RenameKiller&) = delete;
  RenameKiller& operator=(const RenameKiller&) = delete;
  bool ready() const { return ready_; }

  static constexpr const char* kStrace = "/usr/bin/strace";

 private:
  ProcessId tracer_;
  bool ready_ = false;
};

TEST(Crash, KilledAsItWritesAServiceRecordItLeavesNothingBehind) {
  if (!ProgramsAreBuilt()) GTEST_SKIP() << "slipwayd or slipway-serve is not built";
  if (!std::filesystem::exists(RenameKiller::kStrace)) GTEST_SKIP() << "there is no strace";
  constexpr const char* kServices = "/api/v1/workspaces/lab/services";
  const std::string doomed = std::string(kServices) + "/doomed";
  const testing::TempDir folder;
  const std::filesystem::path services = folder / "state/run/services";
  Daemon daemon(folder / "state");
  ASSERT_TRUE(daemon.Start());
  ASSERT_TRUE(daemon.Send("POST", "/api/v1/workspaces", R"({"name": "lab"})"));
  ASSERT_NO_FATAL_FAILURE(BuildOne(daemon));
  ASSERT_EQ(daemon.Await(daemon.Send("POST", kServices, R"({"name": "doomed", "image": "i:1"})")),
            "Succeeded")
      << daemon.last_error();
  {
    const RenameKiller killer(daemon.pid());
    if (!killer.ready()) GTEST_SKIP() << "strace cannot trace here";
    // The record that says so has a temporary file by then, and never gets its name.
    static_cast<void>(daemon.Send("DELETE", doomed).has_value());
    ASSERT_TRUE(daemon.AwaitEnd()) << "it was not killed";
  }
  EXPECT_EQ(TemporariesIn(services).size(), 1U);
  ASSERT_TRUE(daemon.Start());
  EXPECT_EQ(TemporariesIn(services), std::vector<std::string>());
  EXPECT_EQ(daemon.Await(daemon.Send("DELETE", doomed)), "Succeeded") << daemon.last_error();
  EXPECT_TRUE(std::filesystem::is_empty(services));
}

TEST(Crash, TwoDaemonsOnOneFolderGiveOneClearError) {
  if (!std::filesystem::exists(DaemonProgram())) GTEST_SKIP() << "slipwayd is not built";
  const testing::TempDir folder;
  Daemon daemon(folder / "state");
  ASSERT_TRUE(daemon.Start());
  const auto second = Workspace::Open({.state = folder / "state", .server_program = {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().id, "State.InUse");
  EXPECT_NE(second.error().message.find("http://127.0.0.1:"), std::string::npos)
      << second.error().message;
}

}  // namespace
}  // namespace slipway::workspace
