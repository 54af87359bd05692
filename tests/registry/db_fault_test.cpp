// SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "tests/registry/child.h"
#include "tests/registry/fixture.h"

namespace slipway::registry::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
constexpr int kSkipped = 77;

void Overwrite(const std::filesystem::path& file, std::int64_t offset, const std::string& bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(offset);
  stream << bytes;
  ASSERT_TRUE(stream.good());
}

class FaultTest : public ::testing::Test {
 protected:
  void MakeDatabase(const std::string& script = "") {
    const auto db = Must(Database::Open(file_));
    ASSERT_NE(db, nullptr);
    if (!script.empty()) Must(db->Execute(script));
  }

  slipway::testing::TempDir folder_;
  std::filesystem::path file_ = folder_ / "slipway.db";
};

TEST_F(FaultTest, RefusesWhatIsNoDatabase) {
  std::ofstream(file_) << std::string(8192, 'x');
  const auto opened = Database::Open(file_);
  EXPECT_THAT(opened, FailsWith(Code::kDataLoss, "State.Damaged"));
  EXPECT_THAT(opened.error().message, HasSubstr(file_.string()));
  EXPECT_FALSE(opened.error().fix.empty());
  EXPECT_EQ(Must(ReadFile(file_, 1 << 20)), std::string(8192, 'x'));
}

TEST_F(FaultTest, RefusesADamagedHeader) {
  MakeDatabase();
  Overwrite(file_, 0, "not SQLite at all");
  EXPECT_THAT(Database::Open(file_), FailsWith(Code::kDataLoss, "State.Damaged"));
}

TEST_F(FaultTest, ReportsADamagedPage) {
  {
    Store store(folder_.path());
    for (int i = 0; i < 200; ++i) Must(store.registry->Register(store.Request("m", "x")));
  }
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(file_));
  for (std::int64_t page = 4096; page < size; page += 4096) {
    Overwrite(file_, page, std::string(4096, '\xee'));
  }
  auto database = Database::Open(file_);
  if (!database) {
    EXPECT_THAT(database, FailsWith(Code::kDataLoss, "State.Damaged"));
    return;
  }
  const auto read = (*database)->Query("SELECT * FROM models", {}, [](const Row&) {});
  EXPECT_THAT(read, FailsWith(Code::kDataLoss, "State.Damaged"));
  EXPECT_THAT(read.error().message, HasSubstr(file_.string()));
}

TEST_F(FaultTest, EveryTruncationIsAnErrorOrWhole) {
  {
    Store store(folder_.path());
    for (int i = 0; i < 20; ++i) Must(store.registry->Register(store.Request("m", "x")));
  }
  const std::string whole = Must(ReadFile(file_, 1 << 24));
  std::vector<std::size_t> sizes = {1, 15, 16, 99, 100, 511, 512, 513, 4095, 4096, 4097};
  for (std::size_t size = 5000; size < whole.size(); size += 1777) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    std::filesystem::remove(file_);
    std::ofstream(file_) << whole.substr(0, size);
    const auto database = Database::Open(file_);
    if (!database) {
      EXPECT_EQ(database.error().code, Code::kDataLoss) << size;
      continue;
    }
    std::int64_t rows = 0;
    const auto read = (*database)->Query("SELECT * FROM models JOIN model_files ON model = id", {},
                                         [&](const Row&) { ++rows; });
    EXPECT_TRUE(!read || rows == 20) << size;
    if (!read) {
      EXPECT_EQ(read.error().code, Code::kDataLoss) << read.error().message;
    }
  }
}

TEST_F(FaultTest, RefusesANewerFormat) {
  MakeDatabase("PRAGMA user_version = 9");
  const auto opened = Database::Open(file_);
  EXPECT_THAT(opened, FailsWith(Code::kFailedPrecondition, "State.Newer"));
  EXPECT_THAT(opened.error().message, HasSubstr("format 9"));
  EXPECT_THAT(opened.error().message, HasSubstr("format 1"));
}

TEST_F(FaultTest, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  MakeDatabase("PRAGMA application_id = 1234");
  const std::string before = Must(ReadFile(file_, 1 << 20));
  EXPECT_THAT(Database::Open(file_), FailsWith(Code::kFailedPrecondition, "State.Foreign"));
  EXPECT_EQ(Must(ReadFile(file_, 1 << 20)), before);
}

TEST_F(FaultTest, NamesAFolderThatIsMissingOrNoFile) {
  const auto missing = Database::Open(folder_ / "none" / "slipway.db");
  EXPECT_EQ(MustFail(missing).code, Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr((folder_ / "none").string()));
  const auto folder = Database::Open(folder_.path());
  EXPECT_THAT(MustFail(folder).message, HasSubstr(folder_.path().string()));
}

TEST_F(FaultTest, ReadOnlyFileIsNotAllowed) {
  MakeDatabase();
  ASSERT_EQ(::chmod(file_.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0555), 0);
  const int status = RunInChild([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return kSkipped;
    const auto opened = Database::Open(file_);
    EXPECT_EQ(MustFail(opened).code, Code::kPermissionDenied) << opened.error().message;
    EXPECT_THAT(opened.error().message, HasSubstr(file_.string()));
    return 0;
  });
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  if (status == kSkipped) GTEST_SKIP() << "cannot become an ordinary user";
  EXPECT_EQ(status, 0);
}

TEST_F(FaultTest, WaitsForAnotherProcess) {
  MakeDatabase("CREATE TABLE t (id INTEGER)");
  const pid_t child = Fork([&] {
    const auto db = Must(Database::Open(file_));
    Must(db->Transaction([&]() -> Result<void> {
      TRY(db->Execute("INSERT INTO t VALUES (1)"));
      std::ofstream(folder_ / "locked") << "";
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      return {};
    }));
    return 0;
  });
  while (!std::filesystem::exists(folder_ / "locked")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto db = Must(Database::Open(file_));
  Must(db->Execute("INSERT INTO t SELECT id + 1 FROM t"));
  std::int64_t highest = 0;
  Must(db->Query("SELECT max(id) FROM t", {}, [&](const Row& row) { highest = row.Int(0); }));
  EXPECT_EQ(highest, 2);
  EXPECT_EQ(Wait(child), 0);
}

/// Registers until the disk is full, then checks that all that was promised is still there,
/// nothing else is, and that it goes on once there is room.
void FillUp(const std::filesystem::path& folder, const std::function<void()>& make_room) {
  Store store(folder);
  ASSERT_NE(store.registry, nullptr);
  RegisterRequest request = store.Request("m", "x");
  request.description = std::string(16'000, 'd');
  std::int64_t kept = 0;
  Error error;
  for (; kept < 10'000; ++kept) {
    const auto model = store.registry->Register(request);
    if (!model) {
      error = model.error();
      break;
    }
  }
  EXPECT_EQ(error.code, Code::kResourceExhausted) << error.message;
  EXPECT_THAT(error.id, AnyOf("State.DiskFull", "State.WriteFailed"));
  EXPECT_THAT(error.message, HasSubstr((folder / "slipway.db").string()));
  EXPECT_FALSE(error.fix.empty());
  EXPECT_GT(kept, 0);
  EXPECT_EQ(Must(store.registry->Get("w", "m", 0)).version, kept);
  make_room();
  EXPECT_EQ(Must(store.registry->Register(request)).version, kept + 1);
  EXPECT_EQ(Must(store.registry->Get("w", "m", kept)).description, request.description);
}

TEST_F(FaultTest, FullDiskUndoesWhatDidNotFit) {
  const int status = RunInChild([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
      return kSkipped;
    }
    std::ofstream(folder_ / "ballast") << std::string(256 << 10, 'b');
    FillUp(folder_.path(), [&] { std::filesystem::remove(folder_ / "ballast"); });
    return 0;
  });
  if (status == kSkipped) GTEST_SKIP() << "mounting a small disk needs root";
  EXPECT_EQ(status, 0);
}

TEST_F(FaultTest, FileSizeLimitUndoesWhatDidNotFit) {
  const int status = RunInChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto limit = [](rlim_t bytes) {
      const struct rlimit wanted { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };
      EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &wanted), 0);
    };
    limit(1 << 20);
    FillUp(folder_.path(), [&] { limit(RLIM_INFINITY); });
    return 0;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace slipway::registry::testing
