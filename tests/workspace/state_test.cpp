// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "registry/db.h"
#include "tests/workspace/fixture.h"
#include "workspace/garbage.h"
#include "workspace/state_folder.h"

namespace slipway::workspace {

std::span<const EmbeddedFile> migration_files();

namespace {

unsigned ModeOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(StateFolder, IsForItsOwnerAndKeepsItsToken) {
  const testing::TempDir folder;
  std::string token;
  {
    RunningWorkspace running(folder / "state");
    ASSERT_TRUE(running.ok());
    token = running.workspace().token();
    ASSERT_TRUE(running.workspace().Announce(running.address()));
    EXPECT_TRUE(std::filesystem::exists(folder / "state/run/endpoint.json"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "state/run/endpoint.json"));
  EXPECT_EQ(token.size(), 64u);
  EXPECT_EQ(ModeOf(folder / "state"), 0700u);
  EXPECT_EQ(ModeOf(folder / "state/admin.token"), 0600u);
  RunningWorkspace again(folder / "state");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.workspace().token(), token);
}

TEST(StateFolder, TokenThatOthersMayReadIsRefused) {
  const testing::TempDir folder;
  { RunningWorkspace running(folder / "state"); }
  ASSERT_EQ(::chmod((folder / "state/admin.token").c_str(), 0644), 0);
  const auto opened = Workspace::Open({.state = folder / "state", .server_program = {}});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().id, "State.TokenOpen");
  EXPECT_NE(opened.error().fix.find("chmod 600"), std::string::npos);
}

TEST(StateFolder, WhatAKilledProgramWasWritingIsSweptAtStart) {
  const testing::TempDir folder;
  { RunningWorkspace running(folder / "state"); }
  const std::filesystem::path state = folder / "state";
  const std::vector<std::string> left = {".tmp-0011223344556677", "run/.tmp-0011223344556677",
                                         "run/services/.tmp-00", "run/keys/.tmp-11",
                                         "run/docker/.tmp-22"};
  const std::vector<std::string> kept = {"run/services/notes.txt", "run/services/.hidden"};
  for (const std::string& name : left) {
    ASSERT_TRUE(MakeFolders((state / name).parent_path()));
    ASSERT_TRUE(WriteFileAtomic(state / name, "{\"half\": "));
  }
  for (const std::string& name : kept) ASSERT_TRUE(WriteFileAtomic(state / name, "x"));
  RunningWorkspace running(state);
  ASSERT_TRUE(running.ok());
  for (const std::string& name : left) EXPECT_FALSE(std::filesystem::exists(state / name)) << name;
  for (const std::string& name : kept) EXPECT_TRUE(std::filesystem::exists(state / name)) << name;
}

TEST(StateFolder, SecondWorkspaceIsRefused) {
  const testing::TempDir folder;
  RunningWorkspace running(folder / "state");
  ASSERT_TRUE(running.ok());
  const auto second = Workspace::Open({.state = folder / "state", .server_program = {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().id, "State.InUse");
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(second.error().message,
              ::testing::HasSubstr("process id " + std::to_string(::getpid())));
}

TEST(StateFolder, TheLockOfAnEndedProgramIsWaitedFor) {
  const testing::TempDir folder;
  const std::filesystem::path state = folder / "state";
  ASSERT_TRUE(MakeStateFolder(state));
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(LockStateFolder(state) ? 0 : 1);
  int status = 1;
  ASSERT_EQ(::waitpid(ended, &status, 0), ended);
  ASSERT_EQ(status, 0);
  // As a child that has not become another program yet holds it: longer than for one that runs.
  UniqueFd held(::open((state / "run/lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(held.get(), LOCK_EX | LOCK_NB), 0);
  std::thread child([&held] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    held = UniqueFd();
  });
  const auto lock = LockStateFolder(state);
  child.join();
  EXPECT_TRUE(lock) << lock.error().message;
}

TEST(StateFolder, NewerSchemaIsRefused) {
  const testing::TempDir folder;
  { RunningWorkspace running(folder / "state"); }
  {
    auto database = Database::Open(folder / "state/slipway.db");
    ASSERT_TRUE(database);
    std::vector<EmbeddedFile> migrations(migration_files().begin(), migration_files().end());
    const std::string next = "000" + std::to_string(migrations.size() + 1) + "_later.sql";
    migrations.push_back({next, "CREATE TABLE later (a INTEGER) STRICT;"});
    const auto migrated = (*database)->Migrate("workspace", migrations);
    ASSERT_TRUE(migrated) << migrated.error().message;
  }
  const auto opened = Workspace::Open({.state = folder / "state", .server_program = {}});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().id, "State.Newer") << opened.error().message;
}

/// No file of this process may grow beyond that size while the object lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(StateFolder, UploadThatDoesNotFitLeavesNothing) {
  const testing::TempDir folder;
  RunningWorkspace running(folder / "state");
  ASSERT_TRUE(running.ok());
  const auto send = [&running](const std::string& method, const std::string& path,
                               const std::string& body) {
    http::Request request{.method = method, .target = path, .body = body};
    request.headers.Set("Authorization", "Bearer " + running.workspace().token());
    return running.Send(request);
  };
  const auto made = send("POST", "/api/v1/workspaces", R"({"name": "lab"})");
  ASSERT_TRUE(made && made->status == 201);
  const std::string content(16 << 20, 'x');
  const std::string path = "/api/v1/workspaces/lab/blobs/" + Digest::OfText(content).text();
  {
    const FileSizeLimit limit(8 << 20);
    const auto refused = send("PUT", path, content);
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_EQ(refused->status, 507) << refused->body;
    EXPECT_NE(refused->body.find("State.DiskFull"), std::string::npos) << refused->body;
  }
  const auto there = send("HEAD", path, "");
  ASSERT_TRUE(there);
  EXPECT_EQ(there->status, 404);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "state/blobs")) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
  const auto fits = send("PUT", path, content);
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->status, 201) << fits->body;
}

/// Asks the workspace, and waits for an operation that the answer tells of.
class Asking : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ServeProgram())) GTEST_SKIP() << "slipway-serve is not built";
    ASSERT_TRUE(running_.ok());
    ASSERT_EQ(Ask("POST", "/api/v1/workspaces", R"({"name": "lab"})").status, 201);
    ASSERT_TRUE(Register("m", testing::MakeTinyOnnx()));
  }
  /// Again where garbage was collected in between.
  bool Register(const std::string& name, const std::string& onnx) {
    const std::string digest = Digest::OfText(onnx).text();
    const Json model{{"name", name},
                     {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
    for (int i = 0; i < 100; ++i) {
      Ask("PUT", "/api/v1/workspaces/lab/blobs/" + digest, onnx);
      const int status = Ask("POST", "/api/v1/workspaces/lab/models", DumpJson(model)).status;
      if (status != 404) return status == 201;
    }
    return false;
  }
  http::Response Ask(const std::string& method, const std::string& path, std::string body = {}) {
    http::Request request{.method = method, .target = path, .body = std::move(body)};
    request.headers.Set("Authorization", "Bearer " + running_.workspace().token());
    auto response = running_.Send(request);
    EXPECT_TRUE(response) << path;
    return response ? *std::move(response) : http::Response{.status = 0};
  }
  Json Await(const http::Response& accepted) {
    EXPECT_EQ(accepted.status, 202) << accepted.body;
    const auto started = ParseJson(accepted.body);
    if (!started) return Json::object();
    constexpr int kTries = 6000;
    for (int i = 0; i < kTries; ++i) {
      const auto now = ParseJson(Ask("GET", "/api/v1/operations/" + started->value("id", "")).body);
      if (now && !now->value("ended_time", "").empty()) return *now;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return Json::object();
  }
  std::set<std::string> Blobs() const {
    std::set<std::string> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder_ / "state/blobs")) {
      if (entry.is_regular_file()) files.insert(entry.path().string());
    }
    return files;
  }

  testing::TempDir folder_;
  RunningWorkspace running_{folder_ / "state", 0};
};

TEST_F(Asking, AnImageThatDoesNotFitSaysSoAndLeavesNothing) {
  const std::set<std::string> before = Blobs();
  {
    const FileSizeLimit limit(4 << 20);
    const Json failed =
        Await(Ask("POST", "/api/v1/workspaces/lab/images", R"({"name": "app", "models": ["m"]})"));
    EXPECT_EQ(failed.value("state", ""), "Failed") << DumpJson(failed);
    EXPECT_EQ(failed.value("error_code", ""), "State.DiskFull") << DumpJson(failed);
    EXPECT_NE(failed.value("error", "").find("layer server"), std::string::npos);
    EXPECT_NE(failed.value("fix", "").find("free space"), std::string::npos);
  }
  EXPECT_EQ(Blobs(), before) << "nothing half-written stays";
  const auto image = ParseJson(Ask("GET", "/api/v1/workspaces/lab/images/app/versions/1").body);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->value("state", ""), "Failed");
  const Json built =
      Await(Ask("POST", "/api/v1/workspaces/lab/images", R"({"name": "app", "models": ["m"]})"));
  EXPECT_EQ(built.value("state", ""), "Succeeded") << DumpJson(built);
}

TEST_F(Asking, GarbageIsNotCollectedFromUnderABuild) {
  std::atomic<bool> done = false;
  std::thread collector([&] {
    while (!done) {
      EXPECT_TRUE(CollectGarbage(running_.workspace()));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (int i = 0; i < 12; ++i) {
    const Json built = Await(
        Ask("POST", "/api/v1/workspaces/lab/images",
            R"({"name": "app", "models": ["m"], "description": ")" + std::to_string(i) + "\"}"));
    EXPECT_EQ(built.value("state", ""), "Succeeded") << DumpJson(built);
    const std::string path = "/api/v1/workspaces/lab/images/app/versions/" + std::to_string(i + 1);
    const auto image = ParseJson(Ask("GET", path).body);
    ASSERT_TRUE(image);
    EXPECT_EQ(Ask("GET", path + "/archive").status, 200) << "its blobs are there";
    if (i % 2 == 0) continue;
    EXPECT_EQ(Ask("DELETE", path).status, 204);
  }
  done = true;
  collector.join();
}

/// What is deleted and what is begun at the same moment: one of them is told no.
TEST_F(Asking, AModelIsNotDeletedFromUnderAService) {
  ASSERT_EQ(
      Await(Ask("POST", "/api/v1/workspaces/lab/images", R"({"name": "warm", "models": ["m"]})"))
          .value("state", ""),
      "Succeeded");
  for (int i = 0; i < 6; ++i) {
    const std::string name = "race-" + std::to_string(i);
    ASSERT_TRUE(Register(name, testing::MakeTinyOnnx({.graph_name = name})));
    http::Response deleted;
    std::thread other(
        [&] { deleted = Ask("DELETE", "/api/v1/workspaces/lab/models/" + name + "/versions/1"); });
    const Json service{{"name", name}, {"model", name + ":1"}};
    const http::Response created =
        Ask("POST", "/api/v1/workspaces/lab/services", DumpJson(service));
    other.join();
    if (created.status == 202) {
      EXPECT_EQ(deleted.status, 409) << deleted.body;
      EXPECT_EQ(Await(created).value("state", ""), "Succeeded");
      Await(Ask("DELETE", "/api/v1/workspaces/lab/services/" + name));
    } else {
      EXPECT_EQ(created.status, 404) << created.body;
      EXPECT_EQ(deleted.status, 204) << deleted.body;
    }
  }
}

TEST_F(Asking, AWorkspaceIsNotDeletedFromUnderAModel) {
  const std::string digest = Digest::OfText(testing::MakeTinyOnnx()).text();
  for (int i = 0; i < 30; ++i) {
    const std::string name = "w-" + std::to_string(i);
    ASSERT_EQ(Ask("POST", "/api/v1/workspaces", DumpJson(Json{{"name", name}})).status, 201);
    http::Response deleted;
    std::thread other([&] { deleted = Ask("DELETE", "/api/v1/workspaces/" + name); });
    const Json model{{"name", "m"},
                     {"files", Json::array({{{"path", "m.onnx"}, {"digest", digest}}})}};
    const http::Response made =
        Ask("POST", "/api/v1/workspaces/" + name + "/models", DumpJson(model));
    other.join();
    if (made.status == 201) {
      EXPECT_EQ(deleted.status, 409) << deleted.body;
      EXPECT_EQ(Ask("GET", "/api/v1/workspaces/" + name + "/models").status, 200);
    } else {
      EXPECT_EQ(made.status, 404) << made.body;
      EXPECT_EQ(deleted.status, 204) << deleted.body;
    }
  }
}

TEST_F(Asking, AnImageIsNotDeletedFromUnderAnUpdate) {
  for (const char* name : {"one", "two"}) {
    const Json image{{"name", name}, {"models", Json::array({"m"})}};
    ASSERT_EQ(
        Await(Ask("POST", "/api/v1/workspaces/lab/images", DumpJson(image))).value("state", ""),
        "Succeeded");
  }
  ASSERT_EQ(
      Await(Ask("POST", "/api/v1/workspaces/lab/services", R"({"name": "live", "image": "one:1"})"))
          .value("state", ""),
      "Succeeded");
  const http::Response updating =
      Ask("PATCH", "/api/v1/workspaces/lab/services/live", R"({"image": "two:1"})");
  const http::Response refused = Ask("DELETE", "/api/v1/workspaces/lab/images/two/versions/1");
  EXPECT_EQ(refused.status, 409) << refused.body;
  EXPECT_NE(refused.body.find("Image.InUse"), std::string::npos) << refused.body;
  EXPECT_EQ(Await(updating).value("state", ""), "Succeeded");
  Await(Ask("DELETE", "/api/v1/workspaces/lab/services/live"));
  EXPECT_EQ(Ask("DELETE", "/api/v1/workspaces/lab/images/two/versions/1").status, 204);
}

}  // namespace
}  // namespace slipway::workspace
