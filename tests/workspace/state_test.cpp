// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include "base/digest.h"
#include "registry/db.h"
#include "tests/workspace/fixture.h"

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

TEST(StateFolder, SecondWorkspaceIsRefused) {
  const testing::TempDir folder;
  RunningWorkspace running(folder / "state");
  ASSERT_TRUE(running.ok());
  const auto second = Workspace::Open({.state = folder / "state", .server_program = {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().id, "State.InUse");
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
}

TEST(StateFolder, NewerSchemaIsRefused) {
  const testing::TempDir folder;
  { RunningWorkspace running(folder / "state"); }
  {
    auto database = Database::Open(folder / "state/slipway.db");
    ASSERT_TRUE(database);
    std::vector<EmbeddedFile> migrations(migration_files().begin(), migration_files().end());
    migrations.push_back({"0002_later.sql", "CREATE TABLE later (a INTEGER) STRICT;"});
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

}  // namespace
}  // namespace slipway::workspace
